//! The recorded half: a bare client writes accept transactions, which gives the
//! accept floor and a binlog; that binlog is read bare, and then by a sidecar
//! from a cold start with every rule on.

use crate::bench::catch_up_floors::{self, CatchUpFloors};
use crate::bench::debezium_peer::{DebeziumPeer, PeerFigures};
use crate::bench::floor::{self, FloorBooks};
use crate::bench::shadow_burner;
use crate::output::progress::ProgressDisplay;
use crate::setup::MariadbOptions;
use crate::stage::{DrillStage, StageOptions};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde::Serialize;
use sluice_core::schema::{DatabaseUrls, migrate};
use std::path::Path;
use std::time::{Duration, Instant};

/// Accounts of the bare client; a multiple of its connections.
const ACCOUNT_COUNT: u64 = 10_000;
/// A catch-up that takes longer than this has failed.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(120);

/// Figures of a binlog that is written, read bare, and judged.
#[derive(Debug, Serialize)]
pub struct ReplayFigures {
    pub accept_floor_per_s: u64,
    pub catch_up_rows_per_s: u64,
    pub catch_up_floors: CatchUpFloors,
    /// If it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debezium: Option<PeerFigures>,
}

/// The audit of data at rest beside the catch-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReplayAudit {
    /// Due at once, as after any long outage: it must give way.
    #[default]
    Due,
    Never,
}

impl ReplayAudit {
    fn setting(self) -> &'static str {
        match self {
            ReplayAudit::Due => "",
            ReplayAudit::Never => "audit.interval_minutes = 0\n",
        }
    }
}

/// Readers beside the sidecar, and what it does itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplayOptions {
    pub audit: ReplayAudit,
    /// Debezium reads the same binlog.
    pub debezium: bool,
    /// A rule in shadow burns its limits meanwhile.
    pub burner: bool,
}

/// Writes a binlog for `time`, reads it bare, and has a sidecar catch up with it.
///
/// # Errors
/// A server that does not start, or a verdict: all of it is honest.
pub async fn measure(
    dir: &Path,
    progress: &ProgressDisplay,
    on_step: &(impl Fn(&str) + Sync),
    (time, readers): (Duration, ReplayOptions),
) -> anyhow::Result<ReplayFigures> {
    let rules = StageOptions::default().rules;
    let options = StageOptions {
        rules: match readers.burner {
            true => shadow_burner::beside(&rules, dir.join("rules"))?,
            false => rules,
        },
        mariadb: MariadbOptions {
            buffer_pool_mb: 1_024,
            ..MariadbOptions::default()
        },
        // Everything from the first binlog on; a cold start is behind by nature.
        sidecar_extra: format!(
            "start = \"oldest\"\nmax_lag_ms = 600000\n{}",
            readers.audit.setting()
        ),
        ..StageOptions::default()
    };
    let mut stage = DrillStage::prepare(dir, options, on_step).await?;
    let peer = match readers.debezium {
        true => Some(debezium_begins(dir, &stage, progress).await?),
        false => None,
    };
    let (accept_floor_per_s, orders) = accept_floor(&stage, progress, time).await?;

    progress.step("catch-up floor: a bare read of the same binlog");
    let catch_up_floors = catch_up_floors::measure(&stage.url, &stage.schemas).await?;
    progress.done(&format!(
        "catch-up floors: {} row changes/s read, {} decoded, over {}",
        catch_up_floors.read_rows_per_s, catch_up_floors.decode_rows_per_s, catch_up_floors.rows
    ));

    progress.step("catch-up: a sidecar starts cold, with every rule on");
    let due = row_changes(&stage).await?;
    let catch_up_rows_per_s = catch_up(&mut stage, due).await?;
    let mut conn = stage.pool.get_conn().await?;
    let found: Option<u64> = conn
        .query_first(format!(
            "SELECT COUNT(*) FROM {}.verdict",
            stage.schemas.guard
        ))
        .await?;
    drop(conn);
    ensure!(
        found == Some(0),
        "{found:?} false alarms over {orders} honest orders"
    );
    progress.done(&format!("catch-up: {catch_up_rows_per_s} row changes/s"));
    let debezium = match peer {
        Some(peer) => Some(debezium_reads(&mut stage, &peer, due, progress).await?),
        None => None,
    };
    stage.down().await?;
    Ok(ReplayFigures {
        accept_floor_per_s,
        catch_up_rows_per_s,
        catch_up_floors,
        debezium,
    })
}

/// Orders per second of a bare client, and how many it wrote.
pub(super) async fn accept_floor(
    stage: &DrillStage,
    progress: &ProgressDisplay,
    time: Duration,
) -> anyhow::Result<(u64, u64)> {
    progress.step("accept floor: a bare client writes the same transactions");
    migrate(&DatabaseUrls::together(&stage.url), &stage.schemas).await?;
    let books = FloorBooks {
        url: stage.url.clone(),
        schemas: stage.schemas.clone(),
        key: stage.signer.clone(),
        accounts: ACCOUNT_COUNT,
    };
    let currency = "CNY".parse()?;
    floor::fund(&books, currency).await?;
    let (per_s, orders) = floor::accept(&books, currency, time).await?;
    progress.done(&format!(
        "accept floor: {per_s} orders/s in batches of {}",
        floor::ORDERS_PER_TRANSACTION
    ));
    Ok((per_s, orders))
}

/// The binlog is to be read from here.
async fn debezium_begins(
    dir: &Path,
    stage: &DrillStage,
    progress: &ProgressDisplay,
) -> anyhow::Result<DebeziumPeer> {
    progress.step("Debezium sets its offset on empty tables");
    migrate(&DatabaseUrls::together(&stage.url), &stage.schemas).await?;
    DebeziumPeer::begin(&dir.join("debezium"), &stage.url, &stage.schemas).await
}

/// Alone, as the sidecar was.
async fn debezium_reads(
    stage: &mut DrillStage,
    peer: &DebeziumPeer,
    due: u64,
    progress: &ProgressDisplay,
) -> anyhow::Result<PeerFigures> {
    // Killed: what it knows is not asked any more.
    stage.sidecar.take();
    progress.step("Debezium reads the same binlog: as structs, then as JSON");
    let figures = peer.measure(due).await?;
    progress.done(&format!(
        "Debezium: {} row changes/s as structs, {} as JSON",
        figures.structs_rows_per_s, figures.json_rows_per_s
    ));
    Ok(figures)
}

/// Row changes that a rule can look at: the outbox and keys aren't among them.
async fn row_changes(stage: &DrillStage) -> anyhow::Result<u64> {
    let schemas = &stage.schemas;
    let mut conn = stage.pool.get_conn().await?;
    let mut due = 0u64;
    for table in [
        format!("{}.orders", schemas.orders),
        format!("{}.entry", schemas.ledger),
    ] {
        let count: Option<u64> = conn
            .query_first(format!("SELECT COUNT(*) FROM {table}"))
            .await?;
        due += count.context("count")?;
    }
    let updates: Option<u64> = conn
        .query_first(format!(
            "SELECT CAST(SUM(version) AS UNSIGNED) FROM {}.balance",
            schemas.balance
        ))
        .await?;
    Ok(due + updates.context("sum")?)
}

/// Row changes a second between the first seen and the last, so that starting the
/// process doesn't count but everything it does with a row does.
async fn catch_up(stage: &mut DrillStage, due: u64) -> anyhow::Result<u64> {
    const ROW_CHANGES_METRIC: &str = "sluice_sidecar_row_changes_total";
    let begun = Instant::now();
    let path = stage.start_sidecar();
    let mut first: Option<(Instant, u64)> = None;
    path.await?;
    loop {
        let seen = stage.sidecar_metric(ROW_CHANGES_METRIC).await?;
        let now = Instant::now();
        if seen > 0 && first.is_none() {
            first = Some((now, seen));
        }
        if seen >= due {
            let (from, at_first) = first.context("nothing seen")?;
            // Caught up before the first look: count the whole start instead.
            let (rows, time) = if seen > at_first {
                (seen - at_first, now - from)
            } else {
                (seen, now - begun)
            };
            return Ok(u64::try_from(
                u128::from(rows) * 1_000 / time.as_millis().max(1),
            )?);
        }
        ensure!(
            begun.elapsed() < CATCH_UP_TIMEOUT,
            "the sidecar has seen {seen} of {due} row changes after {CATCH_UP_TIMEOUT:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
