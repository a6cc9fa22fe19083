//! `sluice events dead-letters | check`: what was set aside and why; whether an event would be.

use anyhow::{Context, bail};
use clap::Subcommand;
use mysql_async::prelude::Queryable;
use mysql_async::{Row, params};
use sluice_contract::event::BusinessEvent;
use sluice_contract::schema::Schemas;
use std::path::PathBuf;

/// Most rows of one listing.
const MAX_ROWS: u32 = 1_000;
/// Bytes of a payload that a line shows.
const MAX_PAYLOAD_CHARS_SHOWN: usize = 120;

#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    verb: EventsCommand,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// Business events that were set aside, newest first.
    DeadLetters {
        /// The database: `mysql://user:password@host:port`.
        #[arg(long, env = "SLUICE_MYSQL_URL", hide_env_values = true)]
        mysql: String,
        /// Base name of the schemas.
        #[arg(long, default_value = "sluice")]
        database: String,
        /// At most so many, up to 1,000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Only of this topic.
        #[arg(long)]
        topic: Option<String>,
    },
    /// Whether core and sidecar would read the event in this file (`-`: standard input).
    Check { file: PathBuf },
}

#[allow(clippy::print_stdout)]
pub async fn run(options: EventsArgs) -> anyhow::Result<()> {
    match options.verb {
        EventsCommand::DeadLetters {
            mysql,
            database,
            limit,
            topic,
        } => {
            let schemas = Schemas::under(&database)?;
            let rows =
                dead_letters(&mysql, &schemas, topic.as_deref(), limit.min(MAX_ROWS)).await?;
            for row in &rows {
                println!("{row}");
            }
            println!("{} event(s) set aside, newest first", rows.len());
        }
        EventsCommand::Check { file } => {
            let payload = match file.to_str() {
                Some("-") => std::io::read_to_string(std::io::stdin())?.into_bytes(),
                _ => std::fs::read(&file)
                    .with_context(|| format!("can't read {}", file.display()))?,
            };
            match BusinessEvent::read(&payload) {
                Ok(event) => println!(
                    "good: {} for topic {}, key {}",
                    event.kind,
                    event.topic(),
                    event.account_id
                ),
                Err(why) => bail!(
                    "it would be set aside ({}): {why}; see docs/EVENTS.md",
                    why.label()
                ),
            }
        }
    }
    Ok(())
}

async fn dead_letters(
    url: &str,
    schemas: &Schemas,
    topic: Option<&str>,
    limit: u32,
) -> anyhow::Result<Vec<String>> {
    let mut conn = sluice_contract::sql::connect(url).await?;
    let sql = format!(
        "SELECT topic, partition_no, offset_no, reason, payload_bytes, event_time_us, payload FROM {}.dead_letter \
         WHERE :topic IS NULL OR topic = :topic ORDER BY found_us DESC, topic, partition_no, offset_no DESC LIMIT {limit}",
        schemas.guard
    );
    let rows: Vec<Row> = conn.exec(sql, params! { topic }).await?;
    let line = |row: Row| {
        let (topic, partition, offset, reason, bytes, event_time_us, payload) =
            mysql_async::from_row::<(String, i32, i64, String, i64, i64, Vec<u8>)>(row);
        let told = jiff::Timestamp::from_microsecond(event_time_us)
            .map_or_else(|_| "-".to_owned(), |at| at.to_string());
        let text = String::from_utf8_lossy(&payload);
        // Whatever it holds, a terminal must not obey it.
        let text: String = text
            .chars()
            .take(MAX_PAYLOAD_CHARS_SHOWN)
            .map(|c| if c.is_control() { '·' } else { c })
            .collect();
        format!("{topic}/{partition}/{offset}  {reason}  {bytes} bytes  told {told}  {text}")
    };
    Ok(rows.into_iter().map(line).collect())
}
