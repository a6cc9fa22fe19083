//! `sluice routing`: the configuration that decides by which channel an order goes is
//! checked, shown, changed and rolled back here, and single orders are explained.

mod change;
mod explain;
mod file;
mod show;

use crate::routing::change::{apply, rollback};
use crate::routing::explain::explain;
use crate::routing::file::check;
use crate::routing::show::{history, show};
use anyhow::Context;
use clap::Subcommand;
use sluice_contract::sql::Conn;
use sluice_contract::sql::Pool;
use sluice_core::config::CoreConfig;
use sluice_core::routing::RoutingDraft;
use sluice_core::routing::change::RoutingChangeNote;
use sluice_core::routing::configuration::content_repo;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct RoutingArgs {
    #[command(subcommand)]
    verb: RoutingCommand,
    /// The core's settings file: names the database and the channels.
    #[arg(
        long,
        global = true,
        env = "SLUICE_CORE_CONFIG",
        default_value = "core.toml"
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum RoutingCommand {
    /// Check a configuration file and name every problem. Needs no database.
    Check { file: PathBuf },
    /// Check a file, show what it changes, and put it in force as a new version.
    Apply {
        file: PathBuf,
        #[command(flatten)]
        by: AuthorArgs,
    },
    /// Print the configuration in force as a file that can be changed and applied.
    Show {
        /// This version instead.
        version: Option<i64>,
    },
    /// List all versions and when each was in force, by whom and why.
    History,
    /// Put an older version in force again; 0 is "no configuration".
    Rollback {
        version: i64,
        #[command(flatten)]
        by: AuthorArgs,
    },
    /// Say why an order took its channel, or why none takes it.
    Explain { order: String },
}

#[derive(Debug, clap::Args)]
struct AuthorArgs {
    /// Your name; it is kept with the version.
    #[arg(long)]
    author: String,
    /// Why; it is kept with the version.
    #[arg(long)]
    reason: String,
}

impl AuthorArgs {
    fn by(self) -> RoutingChangeNote {
        RoutingChangeNote {
            author: self.author,
            reason: self.reason,
        }
    }
}

pub async fn run(options: RoutingArgs) -> anyhow::Result<()> {
    if let RoutingCommand::Check { file } = &options.verb {
        return check(file);
    }
    let config = CoreConfig::load(&options.config)?;
    let database = config.schemas()?.orders;
    let mut conn = Pool::open(&config.mysql.url, &database, 1)?
        .connect()
        .await
        .with_context(|| {
            format!(
                "{}: can't reach the database of mysql.url",
                options.config.display()
            )
        })?;
    let done = match options.verb {
        RoutingCommand::Check { .. } => Ok(()),
        RoutingCommand::Apply { file, by } => apply(&mut conn, &config, &file, &by.by()).await,
        RoutingCommand::Show { version } => show(&mut conn, version).await,
        RoutingCommand::History => history(&mut conn).await,
        RoutingCommand::Rollback { version, by } => {
            rollback(&mut conn, &config, version, &by.by()).await
        }
        RoutingCommand::Explain { order } => explain(&mut conn, &config, &order).await,
    };
    drop(conn);
    done
}

/// The configuration of a version; 0 is none.
async fn draft_of(conn: &mut Conn, version: i64) -> anyhow::Result<RoutingDraft> {
    if version == 0 {
        return Ok(RoutingDraft::default());
    }
    let found = content_repo::load(conn, version).await?;
    Ok(found
        .with_context(|| format!("there is no version {version}: see `sluice routing history`"))?
        .1)
}
