//! `sluice verdicts list | answer`: what rules found, and what people say to it.

use crate::breakers::in_path;
use crate::client::{OperatorClient, SidecarArgs, text_of, time_of};
use clap::Subcommand;
use serde_json::{Value, json};
use std::fmt::Write;

#[derive(Debug, clap::Args)]
pub struct VerdictsArgs {
    #[command(subcommand)]
    verb: VerdictsCommand,
    #[command(flatten)]
    sidecar: SidecarArgs,
}

#[derive(Debug, Subcommand)]
enum VerdictsCommand {
    /// List verdicts, oldest first.
    List(VerdictListArgs),
    /// Answer a verdict that holds no breaker; of one that does, reset the breaker.
    Answer {
        /// Verdict id, as `list` shows it.
        id: String,
        /// Your finding; it is written down beside your name.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct VerdictListArgs {
    /// open, answered, shadow or before (an answer was not asked for then).
    #[arg(long, default_value = "open")]
    life: String,
    #[arg(long)]
    rule: Option<String>,
    #[arg(long)]
    account: Option<String>,
    /// minor, major or critical.
    #[arg(long)]
    severity: Option<String>,
    /// Time and id of the last one of the page before, as its last line prints them.
    #[arg(long)]
    after: Option<String>,
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

/// Calls the sidecar and prints its answer; a refusal is an error that says why.
#[allow(clippy::print_stdout)]
pub async fn run(options: VerdictsArgs) -> anyhow::Result<()> {
    let client = OperatorClient::new(&options.sidecar)?;
    let text = match options.verb {
        VerdictsCommand::List(list) => table(&client.get(&list.path()).await?, list.limit),
        VerdictsCommand::Answer { id, reason } => {
            let path = format!("/verdicts/{id}/answer");
            client.post(&path, json!({ "reason": reason })).await?;
            "answered\n".to_owned()
        }
    };
    print!("{text}");
    Ok(())
}

impl VerdictListArgs {
    fn path(&self) -> String {
        let mut path = format!(
            "/verdicts?life={}&limit={}",
            in_path(&self.life),
            self.limit
        );
        for (name, value) in [
            ("rule", &self.rule),
            ("account", &self.account),
            ("severity", &self.severity),
        ] {
            if let Some(value) = value {
                path += &format!("&{name}={}", in_path(value));
            }
        }
        if let Some((us, id)) = self.after.as_deref().and_then(|a| a.split_once('/')) {
            path += &format!("&after_us={}&after_id={}", in_path(us), in_path(id));
        }
        path
    }
}

fn table(rows: &Value, limit: u32) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(
            text,
            "{} {} {:<8} {:<8} {} on {}, {}: {}",
            text_of(&row["verdictId"]),
            time_of(&row["foundUs"]),
            text_of(&row["severity"]),
            text_of(&row["life"]),
            text_of(&row["rule"]),
            text_of(&row["accountId"]),
            text_of(&row["item"]),
            text_of(&row["message"])
        );
        if let Some(answer) = row["answer"].as_str() {
            let _ = writeln!(text, "  {}: {answer}", text_of(&row["answeredBy"]));
        }
    }
    match rows.last() {
        None => text.push_str("none\n"),
        Some(last) if rows.len() == limit as usize => {
            let (us, id) = (text_of(&last["foundUs"]), text_of(&last["verdictId"]));
            let _ = writeln!(text, "more: --after {us}/{id}");
        }
        Some(_) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_where_the_next_one_begins() {
        let rows = json!([{ "verdictId": "ab", "foundUs": 7, "severity": "critical", "life": "answered", "rule": "r",
            "accountId": "A", "item": "i", "message": "m", "answer": "mended", "answeredBy": "ann" }]);
        let text = table(&rows, 1);
        for part in ["r on A, i: m", "ann: mended", "more: --after 7/ab"] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(!table(&rows, 2).contains("more"));
        let list = VerdictListArgs {
            life: "open".into(),
            rule: None,
            account: Some("A 1".into()),
            severity: None,
            after: Some("7/ab".into()),
            limit: 5,
        };
        assert_eq!(
            list.path(),
            "/verdicts?life=open&limit=5&account=A%201&after_us=7&after_id=ab"
        );
    }
}
