//! `sluice audit [--now]`: the sidecar's audit of the data at rest, as its last run went,
//! or run once more now.

use crate::client::{OperatorClient, TlsArgs};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use sluice_contract::settings::Secret;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Pause between two looks at a run that is under way.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// Begin a run and wait for its end.
    #[arg(long)]
    now: bool,
    /// Seconds to wait for the end.
    #[arg(long, default_value_t = 3_600)]
    within: u64,
    /// The sidecar that holds the lease.
    #[arg(long, env = "SLUICE_SIDECAR", default_value = "http://127.0.0.1:7200")]
    sidecar: String,
    /// Holds `sidecar_token`, unless it is in the environment.
    #[arg(long)]
    secrets_dir: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
}

/// Prints one run, or what the sidecar says of all.
#[allow(clippy::print_stdout)]
pub async fn run(options: AuditArgs) -> anyhow::Result<()> {
    let token = Secret::load("sidecar_token", options.secrets_dir.as_deref())?;
    let token = String::from_utf8(token.expose().to_vec()).context("sidecar_token")?;
    let client = OperatorClient::with_token(&options.sidecar, Some(token), &options.tls)?;
    if options.now {
        let run = run_now(&client, Duration::from_secs(options.within)).await?;
        print!("{}", run_line(&run));
        return Ok(());
    }
    print!("{}", status(&client.get("/audit").await?));
    Ok(())
}

/// Asks for a run that begins after now, and waits until one has ended; what it found is
/// in the verdicts.
async fn run_now(client: &OperatorClient, within: Duration) -> anyhow::Result<Value> {
    let before = client.get("/audit").await?["last"]["runId"].clone();
    client.send("/audit", &json!({})).await?;
    let begun = Instant::now();
    loop {
        let note = client.get("/audit").await?;
        let done =
            note["asked"] == false && note["running"].is_null() && note["last"]["runId"] != before;
        if done {
            return Ok(note["last"].clone());
        }
        if begun.elapsed() > within {
            bail!("no run has ended within {within:?}: {note}");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn status(note: &Value) -> String {
    let mut text = match &note["running"] {
        Value::Null => "nothing runs now\n".to_owned(),
        running => format!(
            "running since {} µs: {} after account {:?}, {} balances compared, {} rows, {} suspects\n",
            running["startedUs"],
            running["of"],
            running["account"],
            running["accounts"],
            running["rows"],
            running["suspects"]
        ),
    };
    if let Some(why) = note["failed"].as_str() {
        text += &format!("the newest run did not complete: {why}\n");
    }
    text += &entry_lines(note);
    match &note["last"] {
        Value::Null => text + "no run was completed yet\n",
        run => text + &run_line(run),
    }
}

/// Tells what is missing before entries can be judged; empty if nothing is.
fn entry_lines(note: &Value) -> String {
    let mut text = String::new();
    if let Some(why) = note["leftOut"].as_str() {
        text += &format!("left out: {why}\n");
    } else if note["entriesFromUs"].is_null() {
        text += "ledger entries need no seal yet, or this sidecar has not looked: see `sluice guard seal --entries`\n";
    }
    for key in note["unknownSealKeys"].as_array().into_iter().flatten() {
        let key = key.as_str().unwrap_or_default();
        text += &format!(
            "ledger entries are sealed with key {key}, which this sidecar lacks: provenance_keys_retired\n"
        );
    }
    text
}

fn run_line(run: &Value) -> String {
    let took_ms =
        (run["completedUs"].as_i64().unwrap_or(0) - run["startedUs"].as_i64().unwrap_or(0)) / 1_000;
    format!(
        "run {} ({}) at {}: {} balances, {} rows in {took_ms} ms; {} looked at twice, {} differences stand, {} of them new\n",
        run["runId"].as_str().unwrap_or_default(),
        run["reason"].as_str().unwrap_or_default(),
        run["position"].as_str().unwrap_or_default(),
        run["accounts"],
        run["rows"],
        run["suspects"],
        run["openFindings"],
        run["verdicts"],
    )
}
