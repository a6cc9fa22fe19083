//! The vault's client against a small vault over real HTTP.

use super::*;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Mutex;

const DEADLINE: Duration = Duration::from_secs(20);
const ROOT: &str = "a-token-of-the-vault";

#[derive(Default)]
struct FakeVault {
    secrets: Value,
    tokens: Vec<String>,
    logins: usize,
    renewals: usize,
    /// Seconds that tokens live.
    life: u64,
    /// Renewals that are still to be refused: the vault is sealed.
    failing_renewals: usize,
    /// Tokens may not look at themselves.
    is_look_up_forbidden: bool,
}

type SharedVault = State<Arc<Mutex<FakeVault>>>;

async fn fake() -> (Arc<Mutex<FakeVault>>, String) {
    crate::telemetry::install_crypto();
    let vault = Arc::new(Mutex::new(FakeVault {
        secrets: json!({ "provenance_key": "k".repeat(32), "number": 7 }),
        tokens: vec![ROOT.to_owned()],
        ..FakeVault::default()
    }));
    let routes = Router::new()
        .route("/v1/kv/data/{entry}", get(entry))
        .route("/v1/auth/token/lookup-self", get(look_up))
        .route("/v1/auth/token/renew-self", post(renew))
        .route("/v1/auth/k8s/login", post(log_in))
        .with_state(vault.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (vault, address)
}

fn known(vault: &FakeVault, headers: &HeaderMap) -> Result<(), StatusCode> {
    let token = headers.get("x-vault-token").ok_or(StatusCode::FORBIDDEN)?;
    let token = token.to_str().unwrap();
    let is_known = vault.tokens.iter().any(|known| known == token);
    is_known.then_some(()).ok_or(StatusCode::FORBIDDEN)
}

async fn entry(
    State(vault): SharedVault,
    UrlPath(entry): UrlPath<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let vault = vault.lock().unwrap();
    known(&vault, &headers)?;
    if entry != "sluice" {
        return Err(StatusCode::NOT_FOUND);
    }
    Ok(Json(
        json!({ "data": { "data": vault.secrets, "metadata": { "version": 3 } } }),
    ))
}

async fn look_up(State(vault): SharedVault, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let vault = vault.lock().unwrap();
    known(&vault, &headers)?;
    if vault.is_look_up_forbidden {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(Json(json!({ "data": { "ttl": vault.life } })))
}

async fn renew(State(vault): SharedVault, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let mut vault = vault.lock().unwrap();
    known(&vault, &headers)?;
    if vault.failing_renewals > 0 {
        vault.failing_renewals -= 1;
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    vault.renewals += 1;
    Ok(Json(json!({ "auth": { "lease_duration": vault.life } })))
}

async fn log_in(
    State(vault): SharedVault,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut vault = vault.lock().unwrap();
    if body != json!({ "role": "core", "jwt": "the-pods-own-token" }) {
        return Err(StatusCode::BAD_REQUEST);
    }
    vault.logins += 1;
    let token = format!("a-token-for-login-{}", vault.logins);
    vault.tokens = vec![token.clone()];
    let life = vault.life;
    Ok(Json(
        json!({ "auth": { "client_token": token, "lease_duration": life } }),
    ))
}

fn settings(address: &str, more: &str) -> VaultSettings {
    let text = format!("address = '{address}'\nmount = 'kv'\nrefresh_ms = 100\n{more}");
    let settings: VaultSettings = toml::from_str(&text).unwrap();
    settings.check().unwrap();
    settings
}

fn dir_with_token(token: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("vault_token"), token).unwrap();
    dir
}

async fn until(mut holds: impl FnMut() -> bool) {
    let met = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, met).await.unwrap();
}

fn text_of(secrets: &VaultSnapshot, name: &str) -> Option<String> {
    let secret = secrets.text(name)?;
    Some(String::from_utf8(secret.expose().to_vec()).unwrap())
}

#[tokio::test]
async fn secrets_are_read_again_and_an_outage_leaves_the_last_ones() {
    let (vault, address) = fake().await;
    vault.lock().unwrap().life = 2;
    let dir = dir_with_token(ROOT);
    let settings = settings(&address, "path = 'sluice'");
    let opened = Vault::connect(&settings, Some(dir.path())).await.unwrap();
    let secrets = opened.secrets.clone();
    assert_eq!(text_of(&secrets, "provenance_key").unwrap(), "k".repeat(32));
    assert_eq!(text_of(&secrets, "number"), None, "only text is a secret");
    let parts = crate::supervisor::Supervisor::default();
    parts.spawn_loop("vault", opened.keep());
    vault.lock().unwrap().secrets = json!({ "provenance_key": "n".repeat(32) });
    until(|| {
        text_of(&secrets, "provenance_key")
            .unwrap()
            .starts_with('n')
    })
    .await;
    // The token lives two seconds, and longer only if it is renewed.
    until(|| vault.lock().unwrap().renewals > 0).await;
    vault.lock().unwrap().tokens.clear();
    until(|| METRICS.unreadable.get() == 1).await;
    assert_eq!(text_of(&secrets, "provenance_key").unwrap(), "n".repeat(32));
    vault.lock().unwrap().tokens.push(ROOT.to_owned());
    until(|| METRICS.unreadable.get() == 0).await;
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_again_and_an_untold_life_is_asked_for() {
    let (vault, address) = fake().await;
    {
        let mut vault = vault.lock().unwrap();
        // Hours: a second half of it would never be waited for here.
        (vault.life, vault.failing_renewals) = (36_000, 3);
        vault.is_look_up_forbidden = true;
    }
    let dir = dir_with_token(ROOT);
    let settings = settings(&address, "path = 'sluice'");
    let opened = Vault::connect(&settings, Some(dir.path())).await.unwrap();
    assert_eq!(opened.client.renewal_delay(), Duration::ZERO);
    let parts = crate::supervisor::Supervisor::default();
    parts.spawn_loop("vault", opened.keep());
    until(|| vault.lock().unwrap().renewals == 1).await;
    assert_eq!(vault.lock().unwrap().failing_renewals, 0);
}

#[tokio::test]
async fn a_pod_logs_in_with_its_own_token_and_again_when_it_is_forgotten() {
    let (vault, address) = fake().await;
    let dir = tempfile::tempdir().unwrap();
    let jwt = dir.path().join("jwt");
    std::fs::write(&jwt, "the-pods-own-token\n").unwrap();
    let more = format!(
        "path = 'sluice'\nauth = 'kubernetes'\nrole = 'core'\nauth_mount = 'k8s'\nservice_account_token = '{}'",
        jwt.display()
    );
    let opened = Vault::connect(&settings(&address, &more), None).await;
    let opened = opened.unwrap();
    assert_eq!(vault.lock().unwrap().logins, 1);
    let parts = crate::supervisor::Supervisor::default();
    parts.spawn_loop("vault", opened.keep());
    vault.lock().unwrap().tokens.clear();
    until(|| vault.lock().unwrap().logins == 2).await;
}

#[tokio::test]
async fn a_refusal_names_the_entry_and_no_secret() {
    let (_vault, address) = fake().await;
    for (token, path, said) in [
        ("a-token-that-is-wrong", "sluice", "403"),
        (ROOT, "nowhere", "404"),
    ] {
        let dir = dir_with_token(token);
        let settings = settings(&address, &format!("path = '{path}'"));
        let refused = Vault::connect(&settings, Some(dir.path())).await;
        let error = format!("{:#}", refused.err().unwrap());
        assert!(
            error.contains(said) && error.contains(path) && error.contains(&address),
            "{error}"
        );
        assert!(!error.contains(token), "{error}");
    }
    // Nobody listens there, or nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let settings = settings(&silent, "path = 'sluice'\ntimeout_ms = 200");
    let dir = dir_with_token(ROOT);
    assert!(Vault::connect(&settings, Some(dir.path())).await.is_err());
}

#[test]
fn wrong_settings_are_named() {
    for (text, named) in [
        ("address = 'http://vault:8200'\npath = 'p'", "vault.address"),
        ("address = 'https://v'\npath = ''", "vault.path"),
        ("address = 'https://v'\npath = 'a?b'", "vault.path"),
        (
            "address = 'https://v'\npath = 'p'\nauth = 'github'",
            "knows token, kubernetes",
        ),
        (
            "address = 'https://v'\npath = 'p'\nauth = 'kubernetes'",
            "vault.role",
        ),
        (
            "address = 'https://v'\npath = 'p'\nrefresh_ms = 0",
            "vault.refresh_ms",
        ),
        (
            "address = 'https://v'\npath = 'p'\ntimeout_ms = 0",
            "vault.timeout_ms",
        ),
    ] {
        let settings: VaultSettings = toml::from_str(text).unwrap();
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}
