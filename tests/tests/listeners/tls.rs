//! Mutual TLS between real programs: callers → core → sidecar and channels, and
//! certificates of another authority that are put in place while they run.

use crate::listeners::certificates::CertificateFolder;
use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use sluice_contract::listener::{BoundListener, ListenerSettings, nobody_key};
use sluice_contract::supervisor::Supervisor;
use sluice_contract::tls::{ClientTls, ServerTlsSettings};
use sluice_drill::setup::ports::free_port;
use sluice_drill::setup::{ChildProcess, ProgramSpec};
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, until};
use std::time::Duration;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Terminates TLS before the simulators; who shows no certificate of the core is refused.
async fn tls_before_simulators(
    parts: &Supervisor,
    certificates: &CertificateFolder,
    simulators: String,
) -> anyhow::Result<u16> {
    let port = free_port()?;
    let settings = ListenerSettings {
        tls: Some(ServerTlsSettings {
            certificate: certificates.path("server.pem"),
            key: certificates.path("server.key"),
            client_ca: Some(certificates.path("ca.pem")),
            client_names: vec!["core.test".to_owned()],
        }),
        ..ListenerSettings::default()
    };
    let http = reqwest::Client::builder().no_proxy().build()?;
    let forward = async move |method: Method, uri: Uri, mut headers: HeaderMap, body: Bytes| {
        for hop in ["host", "content-length", "transfer-encoding"] {
            headers.remove(hop);
        }
        let request = http
            .request(method, format!("{simulators}{uri}"))
            .headers(headers);
        let Ok(reply) = request.body(body).send().await else {
            return (StatusCode::BAD_GATEWAY, HeaderMap::new(), Bytes::new());
        };
        let mut headers = reply.headers().clone();
        headers.remove("content-length");
        headers.remove("transfer-encoding");
        let status = reply.status();
        (status, headers, reply.bytes().await.unwrap_or_default())
    };
    let address = format!("127.0.0.1:{port}");
    let listener = BoundListener::bind("proxy", "proxy", &address, &settings).await?;
    listener.serve(parts, Router::new().fallback(forward), nobody_key());
    Ok(port)
}

/// Rewrites the settings of a stage that is down, so that everything goes over TLS.
fn encrypt(set: &TestStage, certificates: &CertificateFolder, proxy: u16) -> anyhow::Result<()> {
    let (ports, client) = (&set.stage.ports, certificates.client_table());
    let file = |name: &str| set.stage.dir.join(name);
    let core = std::fs::read_to_string(file("core.toml"))?
        .replace(
            &format!("fence.sidecar_url = \"{}\"", ports.url(ports.sidecar)),
            &format!(
                "fence.sidecar_url = \"https://localhost:{}\"\nfence.tls = {client}\nlistener.tls = {}",
                ports.sidecar,
                certificates.server_table(false)
            ),
        )
        .replace(&ports.url(ports.sims), &format!("https://localhost:{proxy}"))
        .replace(
            "deadline_ms = 1000",
            &format!("deadline_ms = 5000\ntls = {client}"),
        )
        .replace(
            "quiet_ms = 1500",
            "quiet_ms = 6000",
        );
    ensure!(core.matches("https://").count() == 4, "{core}");
    std::fs::write(file("core.toml"), core)?;
    let listener = certificates.server_table(true);
    let sidecar = std::fs::read_to_string(file("sidecar.toml"))?;
    let sidecar = format!("listener.tls = {listener}\n{sidecar}");
    std::fs::write(file("sidecar.toml"), sidecar)?;
    Ok(())
}

fn spawn(set: &TestStage, program: &str, name: &str) -> anyhow::Result<ChildProcess> {
    let log = set.stage.dir.join(format!("{name}-tls.log"));
    let settings = set.stage.dir.join(format!("{name}.toml"));
    ChildProcess::spawn(ProgramSpec::own(program, &log)?.arg(settings))
}

/// A caller that trusts the authority as it is now.
struct TlsCaller {
    http: reqwest::Client,
    base: String,
}

impl TlsCaller {
    fn new(set: &TestStage, certificates: &CertificateFolder) -> anyhow::Result<Self> {
        let tls = ClientTls::load("test", &certificates.client(false))?;
        let http = reqwest::Client::builder().no_proxy().timeout(START_TIMEOUT);
        Ok(TlsCaller {
            http: ClientTls::apply(tls.as_ref(), http)?.build()?,
            base: format!("https://localhost:{}", set.stage.ports.core),
        })
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.base));
        let reply = request.body(body.to_string()).send().await?;
        Ok(serde_json::from_str(&reply.text().await?)?)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let reply = self.http.get(format!("{}{path}", self.base)).send().await?;
        Ok(serde_json::from_str(&reply.text().await?)?)
    }

    /// Pays once, to the end.
    async fn withdraw(&self, from: &str, id: &str) -> anyhow::Result<()> {
        let body = json!({
            "fromAccountId": from, "toAccountId": "6222020000000001", "amount": "1.25", "currency": "CNY",
            "transactionId": id, "bizNo": id, "channel": "psp",
        });
        let answer = self.post("/withdraw/submit", body).await?;
        let order = answer["data"]["withdrawOrderId"]
            .as_str()
            .with_context(|| answer.to_string())?
            .to_owned();
        until(&format!("{id} is paid"), async || {
            let shown = self.get(&format!("/withdraw/{order}")).await?;
            Ok(shown["data"]["status"] == "success")
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_moves_over_mutual_tls_and_certificates_change_meanwhile() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    let traffic = Traffic::new("tls", 10);
    traffic.fund(&set.stage, 1_000).await?;
    // Else the sidecar waits for the events of the orders to come.
    traffic.tell(&set.stage, 3).await?;
    for process in [set.stage.core.take(), set.stage.sidecar.take()] {
        let mut process = process.context("it runs")?;
        process.terminate(START_TIMEOUT).await?;
    }
    let certificates = CertificateFolder::new(&set.path().join("certificates"))?;
    let parts = Supervisor::default();
    let simulators = set.stage.ports.url(set.stage.ports.sims);
    let proxy = tls_before_simulators(&parts, &certificates, simulators).await?;
    encrypt(&set, &certificates, proxy)?;
    let mut sidecar = spawn(&set, "sluice-sidecar", "sidecar")?;
    let mut core = spawn(&set, "sluice-core", "core")?;
    let admin = set.stage.ports.address(set.stage.ports.core_admin);
    core.wait_ready(&admin, START_TIMEOUT).await?;
    set.stage.wait_for_fence().await?;
    let caller = TlsCaller::new(&set, &certificates)?;
    let log = || sluice_tests::tail(core.log());
    caller
        .withdraw(&traffic.account(1), "tls-1")
        .await
        .with_context(log)?;
    // Nobody but the core may ask the sidecar, whatever token it has.
    let sidecar_url = format!("https://localhost:{}/status", set.stage.ports.sidecar);
    ensure!(caller.http.get(&sidecar_url).send().await.is_err());
    // Another authority for everybody, while both programs run.
    certificates.sign_all()?;
    until("the core shows the new certificate", async || {
        let next = TlsCaller::new(&set, &certificates)?;
        Ok(next.get("/accounts/A00000").await.is_ok())
    })
    .await?;
    sidecar.restart()?;
    let caller = TlsCaller::new(&set, &certificates)?;
    caller.withdraw(&traffic.account(2), "tls-2").await?;
    core.terminate(START_TIMEOUT).await?;
    sidecar.terminate(START_TIMEOUT).await?;
    Ok(())
}
