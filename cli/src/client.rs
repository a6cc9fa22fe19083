//! The sidecar's HTTP API as a person calls it: reading needs no token, each change goes
//! under the caller's own.

use anyhow::{Context, bail};
use serde_json::{Value, json};
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
    /// The file with your own token; needed for whatever changes something.
    #[arg(long, env = "SLUICE_TOKEN_FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Your name, as long as nobody has a token and the file is the sidecar_token's.
    #[arg(long, global = true)]
    by: Option<String>,
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
        let client = OperatorClient::with_token(&sidecar.sidecar, token)?;
        Ok(OperatorClient {
            by: sidecar.by.clone(),
            ..client
        })
    }

    /// A caller without a name, such as a program that holds the `sidecar_token`.
    pub fn with_token(url: &str, token: Option<String>) -> anyhow::Result<Self> {
        Ok(OperatorClient {
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(REQUEST_TIMEOUT)
                .build()?,
            url: url.trim_end_matches('/').to_owned(),
            token,
            by: None,
        })
    }

    /// The answer's `data`; a refusal is an error that says why.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(self.http.get(format!("{}{path}", self.url)))
            .await
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
