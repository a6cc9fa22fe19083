//! The sidecar's HTTP API as a person calls it, under the caller's own token.

use anyhow::{Context, bail};
use serde_json::{Value, json};
use sluice_contract::settings::check_client_url;
use sluice_contract::tls::{ClientTls, ClientTlsSettings};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Cases of a whole set run before a list of rules is answered.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The sidecar to call, and the person who calls it.
#[derive(Debug, clap::Args)]
pub struct SidecarArgs {
    /// The sidecar's listener.
    #[arg(
        long,
        env = "SLUICE_SIDECAR",
        default_value = "http://127.0.0.1:7200",
        global = true
    )]
    sidecar: String,
    /// The file with your own token.
    #[arg(long, env = "SLUICE_TOKEN_FILE", global = true)]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
    /// Your name, as long as nobody has a token and the file is the sidecar_token's.
    #[arg(long, global = true)]
    by: Option<String>,
}

/// TLS to the sidecar, if its authority is not the world's.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TlsArgs {
    /// PEM file of the authority that signed the sidecar's certificate.
    #[arg(long, env = "SLUICE_SIDECAR_CA", global = true)]
    ca: Option<PathBuf>,
    /// PEM file of your certificate, if the sidecar asks for one.
    #[arg(long, env = "SLUICE_CERTIFICATE", global = true)]
    certificate: Option<PathBuf>,
    /// PEM file of your certificate's key.
    #[arg(long, env = "SLUICE_CERTIFICATE_KEY", global = true)]
    certificate_key: Option<PathBuf>,
    /// Send your token over http:// beyond this host: whoever is on the way can read it.
    #[arg(long, global = true)]
    plaintext_beyond_loopback: bool,
}

impl TlsArgs {
    fn settings(&self) -> ClientTlsSettings {
        ClientTlsSettings {
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.certificate_key.clone(),
        }
    }
}

/// Calls one sidecar, as one person.
pub struct OperatorClient {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    by: Option<String>,
}

impl OperatorClient {
    /// Reads the token's file; an error if it is named and can't be read.
    pub fn new(sidecar: &SidecarArgs) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| token_in(path);
        let token = sidecar.token_file.as_ref().map(read).transpose()?;
        let client = OperatorClient::with_token(&sidecar.sidecar, token, &sidecar.tls)?;
        Ok(OperatorClient {
            by: sidecar.by.clone(),
            ..client
        })
    }

    /// A caller without a name, such as a program that holds the `sidecar_token`.
    pub fn with_token(url: &str, token: Option<String>, tls: &TlsArgs) -> anyhow::Result<Self> {
        let (tls, plaintext) = (tls.settings(), tls.plaintext_beyond_loopback);
        tls.check("--ca, --certificate, --certificate-key: tls")?;
        let allowance = "--plaintext-beyond-loopback";
        check_client_url("--sidecar", url, allowance, plaintext)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT);
        let tls = ClientTls::load("sluice", &tls)?;
        Ok(OperatorClient {
            http: ClientTls::apply(tls.as_ref(), http)?.build()?,
            url: url.trim_end_matches('/').to_owned(),
            token,
            by: None,
        })
    }

    /// The answer's `data`; a refusal is an error that says why.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        self.answer(request).await
    }

    /// Sends a change with the name of who asks, if it was given.
    pub async fn post(&self, path: &str, mut body: Value) -> anyhow::Result<Value> {
        if let Some(by) = &self.by {
            body["by"] = json!(by);
        }
        self.send(path, &body).await
    }

    /// Sends a change whose author is told by the token alone.
    pub async fn send(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let Some(token) = &self.token else {
            bail!("say who you are: --token-file, or SLUICE_TOKEN_FILE")
        };
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body.to_string());
        self.answer(request).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let response = request
            .send()
            .await
            .with_context(|| format!("--sidecar: {} does not answer", self.url))?;
        let status = response.status();
        let text = response.text().await?;
        let mut answer: Value =
            serde_json::from_str(&text).with_context(|| format!("{status}: {text}"))?;
        if status.is_success() {
            return Ok(answer["data"].take());
        }
        match answer["data"]["reasons"].as_array() {
            Some(reasons) => bail!("refused:\n{}", listed(reasons)),
            None => bail!("refused: {}", text_of(&answer["msg"])),
        }
    }
}

/// A JSON value as a person reads it: text without quotes, `-` for nothing.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Microseconds since 1970 as UTC, to the second; `-` for anything else.
pub fn time_of(us: &Value) -> String {
    let at = us
        .as_i64()
        .and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    at.map_or_else(
        || "-".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

fn token_in(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--token-file: can't read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

fn listed(reasons: &[Value]) -> String {
    let lines: Vec<String> = reasons
        .iter()
        .map(|reason| format!("  - {}", text_of(reason)))
        .collect();
    lines.join("\n")
}
