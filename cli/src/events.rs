//! `sluice events dead-letters | payments | check`: the events that were set aside and why;
//! whether an event would be.

use anyhow::{Context, bail};
use clap::Subcommand;
use mysql_async::Conn;
use sluice_contract::event::BusinessEvent;
use sluice_contract::schema::Schemas;
use sluice_core::intake::quarantine_repo::{self, QuarantinedRow};
use sluice_sidecar::kafka::dead_letters::repo::{self, DeadLetterRow};
use std::path::{Path, PathBuf};

/// Rows of one listing at most.
const MAX_ROWS: u32 = 1_000;
/// Characters of a payload that a line shows.
const MAX_PAYLOAD_CHARS_SHOWN: usize = 120;

#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    verb: EventsCommand,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// List business events that were set aside, newest first.
    DeadLetters {
        #[command(flatten)]
        stored: StoredEventsArgs,
        /// Only of this topic.
        #[arg(long)]
        topic: Option<String>,
    },
    /// List payments that no build of the core has booked yet; one that can books them.
    Payments {
        #[command(flatten)]
        stored: StoredEventsArgs,
    },
    /// Tell whether core and sidecar would read the event in a file.
    Check {
        /// The event as JSON; `-` reads standard input.
        file: PathBuf,
    },
}

/// Database that events are read from, and how many are.
#[derive(Debug, clap::Args)]
struct StoredEventsArgs {
    /// The database: `mysql://user:password@host:port`.
    #[arg(long, env = "SLUICE_MYSQL_URL", hide_env_values = true)]
    mysql: String,
    /// Base name of the schemas.
    #[arg(long, default_value = "sluice")]
    database: String,
    /// At most so many, up to 1,000.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

impl StoredEventsArgs {
    async fn open(&self) -> anyhow::Result<(Conn, Schemas, u32)> {
        let schemas = Schemas::under(&self.database)?;
        let conn = sluice_contract::sql::connect(&self.mysql).await?;
        Ok((conn, schemas, self.limit.min(MAX_ROWS)))
    }
}

/// Prints a line for each dead letter, or the verdict on one event.
#[allow(clippy::print_stdout)]
pub async fn run(options: EventsArgs) -> anyhow::Result<()> {
    match options.verb {
        EventsCommand::DeadLetters { stored, topic } => {
            let (mut conn, schemas, limit) = stored.open().await?;
            let rows = repo::newest(&mut conn, &schemas, topic.as_deref(), limit).await?;
            for row in &rows {
                println!("{}", line(row));
            }
            println!("{} event(s) set aside, newest first", rows.len());
        }
        EventsCommand::Payments { stored } => {
            let (mut conn, schemas, limit) = stored.open().await?;
            let rows = quarantine_repo::list(&mut conn, &schemas, limit).await?;
            for row in &rows {
                println!("{}", payment_line(row));
            }
            println!("{} payment(s) set aside", rows.len());
        }
        EventsCommand::Check { file } => println!("{}", check(&file)?),
    }
    Ok(())
}

fn check(file: &Path) -> anyhow::Result<String> {
    let payload = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin())?.into_bytes(),
        Some(_) | None => {
            std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?
        }
    };
    match BusinessEvent::read(&payload) {
        Ok(event) => Ok(format!(
            "good: {} for topic {}, key {}",
            event.kind,
            event.topic(),
            event.account_id
        )),
        Err(why) => bail!(
            "it would be set aside ({}): {why}; see docs/EVENTS.md",
            why.label()
        ),
    }
}

fn line(row: &DeadLetterRow) -> String {
    let (told, text) = (time(row.event_time_us), shown(&row.payload));
    let (topic, partition, offset) = (&row.topic, row.partition, row.offset);
    let (reason, bytes) = (&row.reason, row.bytes);
    format!("{topic}/{partition}/{offset}  {reason}  {bytes} bytes  told {told}  {text}")
}

fn payment_line(row: &QuarantinedRow) -> String {
    let (told, found) = (time(row.event_time_us), time(row.found_us));
    let (topic, partition, offset) = (&row.topic, row.partition, row.offset);
    let (reason, text) = (&row.reason, shown(&row.payload));
    format!("{topic}/{partition}/{offset}  {reason}  told {told}  set aside {found}  {text}")
}

fn time(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| "-".to_owned(), |at| at.to_string())
}

/// The beginning of a payload: a terminal must not obey whatever it holds.
fn shown(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload)
        .chars()
        .take(MAX_PAYLOAD_CHARS_SHOWN)
        .map(|c| if c.is_control() { '·' } else { c })
        .collect()
}
