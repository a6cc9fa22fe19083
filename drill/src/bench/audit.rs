//! A run over the data at rest of very many accounts: alone at the sidecar's first
//! start, and beside live load; and what it costs that load.

use crate::output::latency::LatencyMs;
use crate::output::progress::ProgressDisplay;
use crate::setup::MariadbOptions;
use crate::stage::traffic::Traffic;
use crate::stage::{DrillStage, StageOptions};
use anyhow::{Context, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde::Serialize;
use serde_json::Value;
use sluice_contract::sql;
use std::path::Path;
use std::time::{Duration, Instant};

/// Accounts of one INSERT while filling.
const ACCOUNTS_PER_INSERT: u64 = 20_000;
/// Accounts that the load is on.
const BUSY_ACCOUNTS: u64 = 500;
/// How long the load lasts without a run beside it, and at most with one.
const ALONE_LOAD_TIME: Duration = Duration::from_secs(10);
const AUDIT_TIMEOUT: Duration = Duration::from_secs(1_800);

/// What to make, and how much load to have beside it.
#[derive(Debug, Clone, Copy)]
pub struct AuditLoad {
    pub accounts: u64,
    pub orders: u64,
    pub rate: u64,
}

#[derive(Debug, Serialize)]
pub struct AuditFigures {
    pub accounts: u64,
    pub entries: u64,
    pub orders: u64,
    /// At the first start, nothing beside it.
    pub alone_ms: u64,
    /// Beside load, of the run as it tells itself.
    pub beside_ms: u64,
    /// Accounts that were read twice.
    pub suspects: u64,
    pub offered_per_s: u64,
    /// Of the load's requests without a run beside them, and with one.
    pub accept_without_ms: LatencyMs,
    pub accept_beside_ms: LatencyMs,
}

pub async fn measure(
    dir: &Path,
    progress: &ProgressDisplay,
    rest: AuditLoad,
) -> anyhow::Result<AuditFigures> {
    let on_step = |step: &str| progress.step(&format!("starting {step}"));
    let mariadb = MariadbOptions {
        buffer_pool_mb: 4_096,
        log_file_mb: 2_048,
        ..MariadbOptions::default()
    };
    let mut stage = DrillStage::prepare(
        dir,
        StageOptions {
            mariadb,
            ..StageOptions::default()
        },
        &on_step,
    )
    .await?;
    stage.start_core().await?;
    progress.step(&format!("making {} accounts", rest.accounts));
    let half = rest.accounts / 2;
    tokio::try_join!(
        fill(&stage, rest, 0, half),
        fill(&stage, rest, half, rest.accounts)
    )?;
    progress.step("the first start: everything at rest is checked");
    let begun = Instant::now();
    // Not ready before the run has ended, which may take longer than a start may.
    let _ = stage.start_sidecar().await;
    let first = loop {
        let last = stage
            .client
            .audit()
            .await
            .map(|note| note["last"].clone())
            .unwrap_or_default();
        if last["runId"].is_string() {
            break last;
        }
        ensure!(
            begun.elapsed() < AUDIT_TIMEOUT,
            "the first run has not ended"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    ensure!(
        first["accounts"] == rest.accounts && first["suspects"] == 0,
        "{first}"
    );
    stage.wait_for_fence().await?;
    progress.done(&format!(
        "{} accounts alone: {} ms",
        rest.accounts,
        took_ms(&first)
    ));

    Traffic::new("fund", BUSY_ACCOUNTS)
        .fund(&stage, 1_000_000)
        .await?;
    progress.step(&format!("{} orders/s, no run beside them", rest.rate));
    let without = Traffic::new("without", BUSY_ACCOUNTS)
        .open(&stage, rest.rate, ALONE_LOAD_TIME)
        .await?;
    progress.step(&format!("{} orders/s, a run beside them", rest.rate));
    let (load, run) = tokio::join!(
        async {
            let time = Duration::from_millis(took_ms(&first) * 3 / 2).max(ALONE_LOAD_TIME);
            Traffic::new("beside", BUSY_ACCOUNTS)
                .open(&stage, rest.rate, Duration::from_secs(time.as_secs()))
                .await
        },
        async {
            // Telling the events comes first.
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.client.audit_now(AUDIT_TIMEOUT).await
        }
    );
    let (load, run) = (load?, run?);
    ensure!(
        load.succeeded() == load.answered(),
        "load was refused: {:?}",
        load.statuses
    );
    ensure!(
        run["openFindings"] == 0,
        "something honest was found: {run}"
    );
    stage.drain(0, Duration::from_secs(60)).await?;
    let figures = AuditFigures {
        accounts: rest.accounts,
        entries: rest.accounts * (2 + 4 * rest.orders),
        orders: rest.accounts * rest.orders,
        alone_ms: took_ms(&first),
        beside_ms: took_ms(&run),
        suspects: run["suspects"].as_u64().unwrap_or(0),
        offered_per_s: rest.rate,
        accept_without_ms: LatencyMs::of(&without.latency),
        accept_beside_ms: LatencyMs::of(&load.latency),
    };
    progress.done(&format!(
        "{} accounts beside {} orders/s: {} ms",
        rest.accounts, rest.rate, figures.beside_ms
    ));
    stage.down().await?;
    Ok(figures)
}

fn took_ms(run: &Value) -> u64 {
    let at = |field: &str| run[field].as_i64().unwrap_or(0);
    u64::try_from((at("completedUs") - at("startedUs")) / 1_000).unwrap_or(0)
}

/// Accounts `from` to `to` with a deposit, paid orders and their entries. Not in the
/// binlog: nobody follows it yet.
async fn fill(stage: &DrillStage, rest: AuditLoad, from: u64, to: u64) -> anyhow::Result<()> {
    let mut conn = sql::connect(&stage.url).await?;
    conn.query_drop("SET SESSION sql_log_bin=0, unique_checks=0")
        .await?;
    let mut at = from;
    while at < to {
        let last = (at + ACCOUNTS_PER_INSERT).min(to) - 1;
        some(
            &mut conn,
            stage,
            rest.orders,
            &format!("seq_{at}_to_{last}"),
        )
        .await?;
        at = last + 1;
    }
    Ok(())
}

async fn some(
    conn: &mut Conn,
    stage: &DrillStage,
    orders: u64,
    accounts: &str,
) -> anyhow::Result<()> {
    let s = &stage.schemas;
    let id = "CONCAT('S',LPAD(a.seq,8,'0'))";
    let order = "CONCAT(LPAD(HEX(a.seq),16,'0'),LPAD(HEX(o.seq),16,'0'))";
    // Sequences are found through the schema that is in use.
    conn.query_drop(format!("USE {}", s.ledger)).await?;
    let money = 100 * orders;
    for insert in [
        format!(
            "INSERT INTO {}.balance (account_id,currency,balance,available,reserved,version,updated_us) \
             SELECT {id},'CNY',{money},{money},0,1,1 FROM {accounts} a",
            s.balance
        ),
        format!(
            "INSERT INTO {}.entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us) \
             SELECT {id},CONCAT('dep-',a.seq),l.seq,'deposit',IF(l.seq=0,'clearing.payments','available'),\
             IF(l.seq=0,'D','C'),{},'CNY',a.seq,1 FROM {accounts} a JOIN seq_0_to_1 l",
            s.ledger,
            110 * orders
        ),
        format!(
            "INSERT INTO {}.entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us) \
             SELECT {id},CONCAT({order},IF(l.seq<2,'-reserve','-end')),l.seq MOD 2,IF(l.seq<2,'reserve','finalize'),\
             ELT(l.seq+1,'available','reserved','reserved','clearing.netsunion'),IF(l.seq MOD 2=0,'D','C'),10,'CNY',{order},1 \
             FROM {accounts} a JOIN seq_1_to_{orders} o JOIN seq_0_to_3 l",
            s.ledger
        ),
        format!(
            "INSERT INTO {}.orders (account_id,order_id,client,user_id,to_account,amount,currency,state,channel,serial_no,\
             attempts,version,created_us,updated_us) SELECT {id},{order},'bench','user-1','payee-1',10,'CNY','success',\
             'netsunion',{order},1,4,1,1 FROM {accounts} a JOIN seq_1_to_{orders} o",
            s.orders
        ),
    ] {
        conn.query_drop(insert)
            .await
            .context("accounts are made with MariaDB's sequence engine")?;
    }
    Ok(())
}
