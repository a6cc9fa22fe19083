//! A core whose secrets are in a vault: it starts, follows a key that rolls, and tells
//! nobody.

use crate::listeners::certificates::CertificateFolder;
use anyhow::{Context, ensure};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use sluice_contract::supervisor::Supervisor;
use sluice_drill::setup::secrets::random_hex;
use sluice_drill::setup::{ChildProcess, ProgramSpec};
use sluice_tests::{TestStage, options, until};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const TOKEN: &str = "a-token-of-the-vault";

type Fields = Arc<Mutex<Map<String, Value>>>;

/// The store of a vault: one entry, for who has the token, over mutual TLS.
async fn vault(
    parts: &Supervisor,
    certificates: &CertificateFolder,
    fields: Fields,
) -> anyhow::Result<String> {
    let read = async |State(fields): State<Fields>, headers: HeaderMap| {
        if headers.get("x-vault-token").is_none_or(|t| t != TOKEN) {
            return Err(StatusCode::FORBIDDEN);
        }
        let fields = fields.lock().expect("no test panics").clone();
        Ok(Json(
            json!({ "data": { "data": fields, "metadata": { "version": 1 } } }),
        ))
    };
    let routes = Router::new()
        .route("/v1/secret/data/sluice/core", get(read))
        .with_state(fields);
    super::serve_tls(parts, certificates, "vault", routes).await
}

/// Secrets in the files of a folder, by name.
fn read_files(dir: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut all = Map::new();
    for file in std::fs::read_dir(dir)? {
        let (path, name) = (
            file.as_ref().map(|f| f.path()),
            file.as_ref().map(|f| f.file_name()),
        );
        let (Ok(path), Ok(name)) = (path, name) else {
            continue;
        };
        if path.is_file() {
            let text = std::fs::read_to_string(path)?;
            all.insert(name.to_string_lossy().into_owned(), text.into());
        }
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_takes_its_secrets_from_a_vault_and_follows_a_roll() -> anyhow::Result<()> {
    let mut options = options();
    options.fence = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    let mut core = set.stage.core.take().context("it runs")?;
    core.terminate(START_TIMEOUT).await?;
    let secrets = set.stage.dir.join("secrets");
    let fields = Fields::default();
    fields
        .lock()
        .expect("no test panics")
        .extend(read_files(&secrets)?);
    let certificates = CertificateFolder::new(&set.path().join("certificates"))?;
    let parts = Supervisor::default();
    let address = vault(&parts, &certificates, fields.clone()).await?;
    let settings = set.stage.dir.join("core.toml");
    let text = std::fs::read_to_string(&settings)?;
    let without = format!("secrets_dir = \"{}\"", secrets.display());
    ensure!(text.contains(&without), "{text}");
    let with = format!(
        "vault = {{ address = '{address}', path = 'sluice/core', refresh_ms = 200, tls = {} }}",
        certificates.client_table()
    );
    std::fs::write(&settings, text.replace(&without, &with))?;
    let log = set.stage.dir.join("vault.log");
    let program = |token: &str| {
        let program = ProgramSpec::own("sluice-core", &log)?.arg(&settings);
        ChildProcess::spawn(
            program
                .env("SLUICE_VAULT_TOKEN", token)
                .env("RUST_LOG", "debug"),
        )
    };
    let mut stranger = program("not-the-vaults-own-token")?;
    until("a wrong token ends the core", async || {
        Ok(stranger.ended()?.is_some())
    })
    .await?;
    ensure!(stranger.tail().contains("403"), "{}", stranger.tail());
    let mut core = program(TOKEN)?;
    let admin = set.stage.ports.address(set.stage.ports.core_admin);
    core.wait_ready(&admin, START_TIMEOUT).await?;
    let rolled = random_hex();
    let entry = ("channel_psp_next".to_owned(), Value::from(rolled.as_str()));
    fields.lock().expect("no test panics").extend([entry]);
    until("the rolled key is in force", async || {
        let said = std::fs::read_to_string(&log)?;
        Ok(said.contains("secret channel_psp has changed and is in force"))
    })
    .await?;
    follows_another_authority(&certificates, &fields, &log).await?;
    let said = std::fs::read_to_string(&log)?;
    let fields = fields.lock().expect("no test panics").clone();
    for secret in fields.values().filter_map(Value::as_str).chain([TOKEN]) {
        ensure!(!said.contains(secret.trim()), "the log holds a secret");
    }
    core.terminate(START_TIMEOUT).await?;
    Ok(())
}

/// Puts another authority in place for both sides, then rolls a key: it is read all the same.
async fn follows_another_authority(
    certificates: &CertificateFolder,
    fields: &Fields,
    log: &Path,
) -> anyhow::Result<()> {
    certificates.sign_all()?;
    until("the core has the new files", async || {
        let said = std::fs::read_to_string(log)?;
        Ok(said.contains("TLS of vault: new files are in force"))
    })
    .await?;
    let entry = ("channel_unionpay_next".to_owned(), random_hex().into());
    fields.lock().expect("no test panics").extend([entry]);
    until("a key that rolls later is in force", async || {
        let said = std::fs::read_to_string(log)?;
        Ok(said.contains("secret channel_unionpay has changed and is in force"))
    })
    .await
}
