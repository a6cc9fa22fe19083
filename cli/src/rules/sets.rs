//! `sluice rules list | sets | promote | approve | …`: rule sets in force are looked at
//! and changed at a sidecar, under a person's own name.

use crate::client::{OperatorClient, SidecarArgs, text_of, time_of};
use crate::rules::{set_text, verdict_text};
use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;

#[derive(Debug, Subcommand)]
pub enum RuleSetsCommand {
    /// List every rule in force: version, mode, what it found within the hour, what is missing.
    List,
    /// List the last sets: who made them, when and why.
    Sets,
    /// Take a rule one step up. To trip it takes a second person: see approve.
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
    /// Say yes, as the second person, to what is proposed.
    Approve {
        rule: String,
        /// trip, retire or demote, as it was proposed.
        #[arg(long)]
        to: String,
        #[arg(long)]
        hash: String,
    },
    /// Take a rule down; of a rule that its budget demoted: you took note. A critical one needs
    /// a second person, or --minutes.
    Demote {
        rule: String,
        /// draft, shadow or alert.
        #[arg(long)]
        to: String,
        /// After so many minutes, at most 60, it is armed again; then one person may.
        #[arg(long)]
        minutes: Option<i64>,
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
    /// Put an earlier set in force again, at once.
    Rollback {
        version: i64,
        #[arg(long)]
        reason: String,
    },
    /// Answer for findings of a rule on one account or item: they open nothing.
    Suppress(SuppressArgs),
    /// List suppressions, those in force first.
    Suppressions,
    /// End a suppression now.
    Unsuppress { id: String },
    /// Explain a verdict in words: what, where, by which rule, what was read, what to do.
    Explain {
        /// Verdict id, as logs, breakers and /verdicts show it.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct SuppressArgs {
    /// The rule, by its id.
    rule: String,
    /// The account or item, exactly as its verdicts name it.
    key: String,
    /// Most money that may pass in all, such as 100.00.
    #[arg(long)]
    amount_cap: String,
    /// Time that it holds, at most 7 days, as in `2h` or `3d`.
    #[arg(long = "for")]
    time: jiff::Span,
    /// Why; it is written down beside your name.
    #[arg(long)]
    reason: String,
}

/// Calls the sidecar and prints its answer; a refusal is an error that says why.
#[allow(clippy::print_stdout)]
pub async fn run(verb: &RuleSetsCommand, sidecar: &SidecarArgs) -> anyhow::Result<()> {
    let client = OperatorClient::new(sidecar)?;
    print!("{}", verb.call(&client).await?);
    Ok(())
}

impl RuleSetsCommand {
    async fn call(&self, client: &OperatorClient) -> anyhow::Result<String> {
        match self {
            RuleSetsCommand::List => Ok(set_text::list(&client.get("/rules").await?)),
            RuleSetsCommand::Sets => Ok(set_text::sets(&client.get("/rules/sets").await?)),
            RuleSetsCommand::Suppressions => {
                let all = client.get("/suppressions").await?;
                Ok(set_text::suppressions(&all, now_us()))
            }
            RuleSetsCommand::Explain { id } => {
                let verdict = client.get(&format!("/verdicts/{id}")).await?;
                Ok(verdict_text::explain(&verdict))
            }
            RuleSetsCommand::Promote {
                rule,
                to,
                hash,
                reason,
            } => {
                let body = json!({ "to": to, "hash": hash, "reason": reason });
                change(client, rule, "promote", body).await
            }
            RuleSetsCommand::Approve { rule, to, hash } => {
                let url = format!("/rules/{rule}/approve");
                let body = json!({ "step": to, "hash": hash });
                Ok(set_text::done(&client.send(&url, &body).await?, rule))
            }
            RuleSetsCommand::Demote {
                rule,
                to,
                minutes,
                reason,
            } => {
                let body = json!({ "to": to, "reason": reason, "minutes": minutes });
                change(client, rule, "demote", body).await
            }
            RuleSetsCommand::Retire { rule, hash, reason } => {
                let body = json!({ "hash": hash, "reason": reason });
                change(client, rule, "retire", body).await
            }
            RuleSetsCommand::Rollback { version, reason } => {
                let body = json!({ "version": version, "reason": reason });
                let done = client.post("/rules/rollback", body).await?;
                Ok(set_text::done(&done, &format!("set {version}")))
            }
            RuleSetsCommand::Suppress(suppression) => suppression.send(client).await,
            RuleSetsCommand::Unsuppress { id } => {
                let path = format!("/suppressions/{id}/revoke");
                client.post(&path, json!({})).await?;
                Ok("ended\n".to_owned())
            }
        }
    }
}

async fn change(
    client: &OperatorClient,
    rule: &str,
    verb: &str,
    body: Value,
) -> anyhow::Result<String> {
    let done = client.post(&format!("/rules/{rule}/{verb}"), body).await?;
    Ok(set_text::done(&done, rule))
}

impl SuppressArgs {
    async fn send(&self, client: &OperatorClient) -> anyhow::Result<String> {
        let expires_us = now_us() + micros(&self.time)?;
        let body = json!({
            "rule": self.rule, "key": self.key, "amount_cap": self.amount_cap,
            "expires_us": expires_us, "reason": self.reason,
        });
        let made = client.post("/suppressions", body).await?;
        if made["done"] == "proposed" {
            return Ok(set_text::done(&made, &self.rule));
        }
        Ok(format!(
            "suppressed until {}; end it: sluice rules unsuppress {}\n",
            time_of(&made["expiresUs"]),
            text_of(&made["id"])
        ))
    }
}

/// A day has 24 hours here.
fn micros(time: &jiff::Span) -> anyhow::Result<i64> {
    let time = time
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .context("--for: as in 30m, 2h or 3d")?;
    Ok(i64::try_from(time.as_micros())?)
}
