//! Requests to the vault, each with a deadline and a bound on its answer.

use crate::settings::Secret;
use crate::tls::ClientTls;
use crate::vault::settings::{VaultAuth, VaultSettings};
use anyhow::{Context, bail};
use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Header in which the vault looks for the token.
const TOKEN_HEADER: &str = "x-vault-token";
/// Secrets of one program are a few kB.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Delay after which a token without an end is thought of again.
const ENDLESS_RENEWAL_DELAY: Duration = Duration::from_secs(3_600);
const MIN_RENEWAL_DELAY: Duration = Duration::from_secs(1);

/// Secrets of one entry, by name.
pub(super) type VaultSecrets = BTreeMap<String, Secret>;

pub(super) struct VaultClient {
    http: reqwest::Client,
    tls: Option<ClientTls>,
    address: String,
    entry: String,
    login: LoginMethod,
    token: Secret,
    life: TokenLife,
}

/// Life of a token as it was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenLife {
    /// Not told: it may not look at itself. A renewal tells.
    Unknown,
    Endless,
    Lasts(Duration),
}

/// Way in which a token is come by.
enum LoginMethod {
    /// A given one; once it has ended only people can give another.
    Token,
    Kubernetes {
        url_path: String,
        role: String,
        token_file: PathBuf,
    },
}

/// An answer that isn't a success.
#[derive(Debug, thiserror::Error)]
#[error("{request} was answered {status}{advice}")]
struct VaultRefusal {
    request: String,
    status: StatusCode,
    advice: &'static str,
}

impl VaultClient {
    pub fn new(settings: &VaultSettings, secrets_dir: Option<&Path>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_millis(settings.timeout_ms));
        let tls = ClientTls::load("vault", &settings.tls)?;
        let http = ClientTls::apply(tls.as_ref(), http)?.build()?;
        let login = match settings.auth.parse()? {
            VaultAuth::Token => LoginMethod::Token,
            VaultAuth::Kubernetes => LoginMethod::Kubernetes {
                url_path: format!("auth/{}/login", settings.auth_mount.trim_matches('/')),
                role: settings.role.clone(),
                token_file: settings.service_account_token.clone(),
            },
        };
        let token = match login {
            LoginMethod::Token => Secret::load("vault_token", secrets_dir)?,
            LoginMethod::Kubernetes { .. } => Secret::new(""),
        };
        let (mount, path) = (
            settings.mount.trim_matches('/'),
            settings.path.trim_matches('/'),
        );
        Ok(VaultClient {
            http,
            tls,
            address: settings.address.trim_end_matches('/').to_owned(),
            entry: format!("{mount}/data/{path}"),
            login,
            token,
            life: TokenLife::Unknown,
        })
    }

    /// Authority and certificate of the connections, for whoever watches their files.
    pub fn tls(&self) -> Option<ClientTls> {
        self.tls.clone()
    }

    /// The first contact: who we are, for how long, and the secrets.
    pub async fn log_in_and_read(&mut self) -> anyhow::Result<VaultSecrets> {
        match self.login {
            LoginMethod::Kubernetes { .. } => self.log_in().await?,
            LoginMethod::Token => {
                // A token may be forbidden to look at itself; then it is renewed all the same.
                let looked = self
                    .request(Method::GET, "auth/token/lookup-self", None)
                    .await;
                self.life =
                    looked.map_or(TokenLife::Unknown, |answer| life_of(&answer["data"]["ttl"]));
            }
        }
        self.read().await
    }

    /// Reads the entry; one whose token has ended logs in again first, if it can.
    pub async fn read_or_log_in(&mut self) -> anyhow::Result<VaultSecrets> {
        let read = self.read().await;
        let is_forbidden = read.as_ref().is_err_and(is_forbidden);
        if is_forbidden && matches!(self.login, LoginMethod::Kubernetes { .. }) {
            self.log_in().await?;
            return self.read().await;
        }
        read
    }

    /// Time after which the token is to be renewed: half of its life, or at once if nobody
    /// has told how long it is.
    pub fn renewal_delay(&self) -> Duration {
        match self.life {
            TokenLife::Unknown => Duration::ZERO,
            TokenLife::Endless => ENDLESS_RENEWAL_DELAY,
            TokenLife::Lasts(life) => (life / 2).max(MIN_RENEWAL_DELAY),
        }
    }

    /// Renews the token; one that can't be renewed is come by anew, if it can.
    pub async fn renew(&mut self) -> anyhow::Result<()> {
        if self.life == TokenLife::Endless {
            return Ok(());
        }
        let renewed = self
            .request(Method::POST, "auth/token/renew-self", Some(json!({})))
            .await;
        match (renewed, &self.login) {
            (Ok(answer), _) => {
                self.life = life_of(&answer["auth"]["lease_duration"]);
                Ok(())
            }
            (Err(_), LoginMethod::Kubernetes { .. }) => self.log_in().await,
            (Err(error), LoginMethod::Token) => Err(error),
        }
    }

    async fn log_in(&mut self) -> anyhow::Result<()> {
        let LoginMethod::Kubernetes {
            url_path,
            role,
            token_file,
        } = &self.login
        else {
            bail!("a given token can't be come by anew");
        };
        // Read each time: Kubernetes exchanges it every hour.
        let jwt = tokio::fs::read_to_string(token_file)
            .await
            .with_context(|| format!("vault.service_account_token {}", token_file.display()))?;
        let body = json!({ "role": role, "jwt": jwt.trim() });
        let answer = self.request(Method::POST, url_path, Some(body)).await?;
        let auth = &answer["auth"];
        let token = auth["client_token"].as_str();
        self.token = Secret::new(token.context("the vault's login has no client_token")?);
        self.life = life_of(&auth["lease_duration"]);
        Ok(())
    }

    async fn read(&self) -> anyhow::Result<VaultSecrets> {
        let answer = self.request(Method::GET, &self.entry, None).await?;
        let Some(fields) = answer["data"]["data"].as_object() else {
            bail!("{} is no entry of a KV store of version 2", self.entry);
        };
        let text = |(name, value): (&String, &Value)| {
            let text = value.as_str()?;
            Some((name.clone(), Secret::new(text.trim())))
        };
        Ok(fields.iter().filter_map(text).collect())
    }

    /// One request. Neither its answer nor the token is ever in an error.
    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let what = format!("{method} /v1/{path}");
        let mut request = self
            .http
            .request(method, format!("{}/v1/{path}", self.address));
        if !self.token.expose().is_empty() {
            request = request.header(TOKEN_HEADER, self.token.expose());
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| what.clone())?;
        let status = answer.status();
        if !status.is_success() {
            return Err(VaultRefusal {
                request: what,
                status,
                advice: advice(status),
            }
            .into());
        }
        let mut bytes = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk.map_err(reqwest::Error::without_url)?);
            if bytes.len() > MAX_ANSWER_BYTES {
                bail!("{what}: the answer is larger than {MAX_ANSWER_BYTES} bytes");
            }
        }
        // The parser's message could quote a secret.
        serde_json::from_slice(&bytes).map_err(|_| anyhow::anyhow!("{what}: the answer is no JSON"))
    }
}

fn is_forbidden(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<VaultRefusal>();
    refusal.is_some_and(|refusal| refusal.status == StatusCode::FORBIDDEN)
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => ": its policy must allow to read this, or the token has ended",
        StatusCode::NOT_FOUND => {
            ": is vault.mount a KV store of version 2, and vault.path an entry?"
        }
        StatusCode::SERVICE_UNAVAILABLE => ": the vault is sealed",
        _ => "",
    }
}

/// Seconds as the vault tells them; 0 is for ever.
fn life_of(seconds: &Value) -> TokenLife {
    match seconds.as_u64() {
        None => TokenLife::Unknown,
        Some(0) => TokenLife::Endless,
        Some(seconds) => TokenLife::Lasts(Duration::from_secs(seconds)),
    }
}
