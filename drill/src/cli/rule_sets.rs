//! `sluice rules list | sets | promote | approve | …`: rule sets in force, called at a
//! sidecar under a person's own name.

use crate::cli::rule_text as text;
use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use std::path::PathBuf;
use std::time::Duration;

/// Cases of a whole set run before a list is answered.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Where to ask, and as whom.
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

#[derive(Debug, Subcommand)]
pub enum RuleSetsCommand {
    /// Every rule in force: version, mode, what it found within the hour, what is missing.
    List,
    /// The last sets: who made them, when and why.
    Sets,
    /// One step up. To trip it takes a second person: see approve.
    Promote {
        rule: String,
        /// shadow, alert or trip.
        #[arg(long)]
        to: String,
        /// Of the version that you looked at, as `list` shows it.
        #[arg(long)]
        hash: String,
        #[arg(long)]
        reason: String,
    },
    /// The second person's word on what is proposed.
    Approve {
        rule: String,
        /// trip or retire, as it was proposed.
        #[arg(long)]
        to: String,
        #[arg(long)]
        hash: String,
    },
    /// Down, at once; of a rule that its budget demoted: you took note.
    Demote {
        rule: String,
        /// draft, shadow or alert.
        #[arg(long)]
        to: String,
        #[arg(long)]
        reason: String,
    },
    /// Take a rule out of the set; one in trip needs a second person.
    Retire {
        rule: String,
        #[arg(long)]
        hash: String,
        #[arg(long)]
        reason: String,
    },
    /// An earlier set, at once.
    Rollback {
        version: i64,
        #[arg(long)]
        reason: String,
    },
    /// Answer for findings of a rule on one account or item: they open nothing.
    Suppress {
        rule: String,
        /// The account or item, exactly as its verdicts name it.
        key: String,
        /// Most money that may pass in all, such as 100.00.
        #[arg(long)]
        amount_cap: String,
        /// How long, at most 7 days, as in `2h` or `3d`.
        #[arg(long = "for")]
        time: jiff::Span,
        #[arg(long)]
        reason: String,
    },
    /// Suppressions, those in force first.
    Suppressions,
    /// End a suppression now.
    Unsuppress { id: String },
    /// A verdict in words: what, where, by which rule, what was read, what to do.
    Explain {
        /// Verdict id, as logs, breakers and /verdicts show it.
        id: String,
    },
}

#[allow(clippy::print_stdout)]
pub async fn run(verb: &RuleSetsCommand, sidecar: &SidecarArgs) -> anyhow::Result<()> {
    let client = OperatorClient::new(sidecar)?;
    let said = match verb {
        RuleSetsCommand::List => text::list(&client.get("/rules").await?),
        RuleSetsCommand::Sets => text::sets(&client.get("/rules/sets").await?),
        RuleSetsCommand::Suppressions => {
            text::suppressions(&client.get("/suppressions").await?, now_us())
        }
        RuleSetsCommand::Explain { id } => {
            text::explain(&client.get(&format!("/verdicts/{id}")).await?)
        }
        RuleSetsCommand::Promote {
            rule,
            to,
            hash,
            reason,
        } => {
            let body = json!({ "to": to, "hash": hash, "reason": reason });
            text::done(
                &client.post(&format!("/rules/{rule}/promote"), body).await?,
                rule,
            )
        }
        RuleSetsCommand::Approve { rule, to, hash } => {
            let url = format!("/rules/{rule}/approve");
            text::done(
                &client
                    .send(&url, &json!({ "step": to, "hash": hash }))
                    .await?,
                rule,
            )
        }
        RuleSetsCommand::Demote { rule, to, reason } => {
            let body = json!({ "to": to, "reason": reason });
            text::done(
                &client.post(&format!("/rules/{rule}/demote"), body).await?,
                rule,
            )
        }
        RuleSetsCommand::Retire { rule, hash, reason } => {
            let body = json!({ "hash": hash, "reason": reason });
            text::done(
                &client.post(&format!("/rules/{rule}/retire"), body).await?,
                rule,
            )
        }
        RuleSetsCommand::Rollback { version, reason } => {
            let body = json!({ "version": version, "reason": reason });
            text::done(
                &client.post("/rules/rollback", body).await?,
                &format!("set {version}"),
            )
        }
        RuleSetsCommand::Suppress {
            rule,
            key,
            amount_cap,
            time,
            reason,
        } => {
            let expires_us = now_us() + micros(time)?;
            let body = json!({ "rule": rule, "key": key, "amount_cap": amount_cap, "expires_us": expires_us, "reason": reason });
            let made = client.post("/suppressions", body).await?;
            format!(
                "suppressed until {}; end it: sluice rules unsuppress {}\n",
                text::time(&made["expiresUs"]),
                text::str(&made["id"])
            )
        }
        RuleSetsCommand::Unsuppress { id } => {
            client
                .post(&format!("/suppressions/{id}/revoke"), json!({}))
                .await?;
            "ended\n".to_owned()
        }
    };
    print!("{said}");
    Ok(())
}

/// A day has 24 hours here.
fn micros(time: &jiff::Span) -> anyhow::Result<i64> {
    let time = time
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .context("--for: as in 30m, 2h or 3d")?;
    Ok(i64::try_from(time.as_micros())?)
}

struct OperatorClient<'a> {
    http: reqwest::Client,
    url: &'a str,
    token: Option<String>,
    by: Option<&'a str>,
}

impl<'a> OperatorClient<'a> {
    fn new(sidecar: &'a SidecarArgs) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("--token-file: can't read {}", path.display()));
            text.map(|text| text.trim().to_owned())
        };
        Ok(OperatorClient {
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(REQUEST_TIMEOUT)
                .build()?,
            url: sidecar.sidecar.trim_end_matches('/'),
            token: sidecar.token_file.as_ref().map(read).transpose()?,
            by: sidecar.by.as_deref(),
        })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(self.http.get(format!("{}{path}", self.url)))
            .await
    }

    /// With the name of who asks, if it was given.
    async fn post(&self, path: &str, mut body: Value) -> anyhow::Result<Value> {
        if let Some(by) = self.by {
            body["by"] = json!(by);
        }
        self.send(path, &body).await
    }

    async fn send(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let Some(token) = &self.token else {
            bail!("say who you are: --token-file, or SLUICE_TOKEN_FILE")
        };
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(token);
        self.answer(
            request
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
        .await
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
            Some(reasons) => bail!(
                "refused:\n{}",
                reasons
                    .iter()
                    .map(|r| format!("  - {}", text::str(r)))
                    .collect::<Vec<_>>()
                    .join("\n")
            ),
            None => bail!("refused: {}", text::str(&answer["msg"])),
        }
    }
}
