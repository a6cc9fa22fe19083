//! Puts the core together, in dependency order, and runs it until it is told to stop
//! or one of its parts ends.
//!
//! | stage of the stop | parts | what its end waits for |
//! |---|---|---|
//! | entrances | public listener, callbacks, payment intake | open requests are answered |
//! | senders | dispatcher, recovery | calls under way have their outcomes written |
//! | writers | accept and outcome writers | their queues are drained |
//! | saga | follower, recovery of open bookings | the batch under way |
//! | publishing | outbox relay | events are on Kafka, its lease is given back |
//! | base | fence, gauges, keys, admin listener | `/ready` can be asked until the end |

mod assembly;
mod database_watch;
mod listeners;
mod pools;
mod stages;
mod watches;

use crate::config::CoreConfig;
use crate::schema;
use anyhow::bail;
use listeners::CoreListeners;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::{self, Readiness};
use sluice_contract::vault;
use stages::{CoreStages, STOP_DEADLINES, STOP_DEADLINES_AFTER_FAILURE};
use std::future::Future;
use std::time::Duration;

const SCHEMA_RETRY_DELAY: Duration = Duration::from_secs(2);

/// Runs the core until `shutdown` is ready, then stops it in order.
///
/// # Errors
/// The core can't start, or a part of it ended or panicked: the error has its name.
pub async fn run(config: CoreConfig, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    telemetry::install_crypto();
    let vault = vault::open(config.vault.as_ref(), config.secrets_dir.as_deref()).await?;
    let secrets = config.secrets()?;
    let schemas = config.schemas()?;
    let CoreListeners {
        public,
        callbacks,
        admin,
    } = CoreListeners::bind(&config).await?;
    let readiness = Readiness::default();
    readiness.set("start", Some("its parts are starting".into()));
    readiness.set("database", Some("the schemas are being looked at".into()));
    let stages = CoreStages::new(readiness.clone());
    listeners::serve_admin(&stages.base, admin, &readiness);
    if let Some(vault) = vault {
        stages.base.spawn_loop("vault", vault.keep());
    }

    let started = async {
        schemas_when_reachable(&config, &schemas, &readiness).await?;
        let handles =
            assembly::start(&config, &secrets, &schemas, &stages, public, callbacks).await?;
        readiness.set("start", None);
        Ok(handles)
    };
    supervise(&stages, started, shutdown).await
}

/// Migrates the schemas and returns, for a deployment whose cores may not.
///
/// # Errors
/// See [`schema::migrate`].
pub async fn migrate(config: CoreConfig) -> anyhow::Result<()> {
    telemetry::install_crypto();
    schema::migrate(&config.servers(), &config.schemas()?).await?;
    tracing::info!("the schemas are as this build needs them");
    Ok(())
}

/// Waits for the start, then for the end of the program, whichever it is.
///
/// # Errors
/// The start's, or the name of the part that ended.
async fn supervise<T>(
    stages: &CoreStages,
    started: impl Future<Output = anyhow::Result<T>>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tokio::pin!(shutdown);
    // The writers' queues stay open until the writers are stopped.
    let _handles = tokio::select! {
        biased;
        () = &mut shutdown => bail!("stopped while starting"),
        end = stages.base.first_end() => bail!(end),
        started = started => started?,
    };
    let failed = tokio::select! {
        biased;
        end = stages.base.first_end() => Some(end),
        () = &mut shutdown => None,
    };
    match failed {
        Some(end) => {
            // A half-dead core must not go on for long, yet what it has is written.
            let _ = stages.stop(&STOP_DEADLINES_AFTER_FAILURE).await;
            bail!(end)
        }
        None => {
            stages.stop(&STOP_DEADLINES).await?;
            tracing::info!("core has stopped");
            Ok(())
        }
    }
}

async fn schemas_when_reachable(
    config: &CoreConfig,
    schemas: &Schemas,
    readiness: &Readiness,
) -> anyhow::Result<()> {
    while let Err(error) = made_ready(config, schemas).await {
        tracing::error!("{error:#}");
        readiness.set("database", Some(format!("{error:#}")));
        tokio::time::sleep(SCHEMA_RETRY_DELAY).await;
    }
    readiness.set("database", None);
    Ok(())
}

async fn made_ready(config: &CoreConfig, schemas: &Schemas) -> anyhow::Result<()> {
    let servers = config.servers();
    match config.mysql.migrate {
        true => schema::migrate(&servers, schemas).await,
        false => schema::require(&servers, schemas).await,
    }
}

#[cfg(test)]
mod tests;
