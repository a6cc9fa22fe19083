//! `sluice audit [--now]`: how the sidecar's checks of the data at rest went, or
//! one more of them now.

use crate::stage::client::StageClient;
use serde_json::Value;
use sluice_contract::settings::Secret;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// Begin a run and wait for its end.
    #[arg(long)]
    now: bool,
    /// How long to wait, in seconds.
    #[arg(long, default_value_t = 3_600)]
    within: u64,
    /// The sidecar that holds the lease.
    #[arg(long, default_value = "http://127.0.0.1:7200")]
    sidecar: String,
    /// Holds `sidecar_token`, unless it is in the environment.
    #[arg(long)]
    secrets_dir: Option<PathBuf>,
}

#[allow(clippy::print_stdout)]
pub async fn run(options: AuditArgs) -> anyhow::Result<()> {
    let token = match options.now {
        true => Secret::load("sidecar_token", options.secrets_dir.as_deref())?,
        // Looking needs none.
        false => Secret::new("none is needed to look"),
    };
    // Only the sidecar is called.
    let client = StageClient::new("", options.sidecar.trim_end_matches('/'), &token)?;
    if options.now {
        let run = client
            .audit_now(Duration::from_secs(options.within))
            .await?;
        print!("{}", tell(&run));
        return Ok(());
    }
    let note = client.audit().await?;
    match &note["running"] {
        Value::Null => println!("nothing runs now"),
        running => println!(
            "running since {} µs: {} after account {:?}, {} balances compared, {} rows, {} suspects",
            running["startedUs"],
            running["of"],
            running["account"],
            running["accounts"],
            running["rows"],
            running["suspects"]
        ),
    }
    if let Some(why) = note["failed"].as_str() {
        println!("the newest run did not complete: {why}");
    }
    match &note["last"] {
        Value::Null => println!("no run was completed yet"),
        run => print!("{}", tell(run)),
    }
    Ok(())
}

fn tell(run: &Value) -> String {
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
