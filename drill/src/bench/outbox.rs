//! A backlog of the outbox, drained by the core's own relay to a broker: rows per second,
//! beside a bare producer that sends the same messages without any database, and a bare
//! reader of the same rows.

use crate::output::progress::ProgressDisplay;
use crate::setup::MariadbOptions;
use crate::stage::{DrillStage, StageOptions};
use anyhow::{Context, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::clock::now_us;
use sluice_contract::event::{ORDER_TOPIC, OrderEvent};
use sluice_contract::ids::new_tx_id;
use sluice_contract::kafka::KafkaConnection;
use sluice_contract::sql::{self, Pool};
use sluice_core::outbox_relay::{HeldLease, OutboxRelay, producer};
use std::path::Path;
use std::time::{Duration, Instant};

/// Figures as the report holds them.
#[derive(Debug, Serialize)]
pub struct OutboxFigures {
    pub rows: u64,
    pub bytes_per_row: usize,
    pub rows_per_s: u64,
    /// The same messages from a bare producer.
    pub produce_floor_rows_per_s: u64,
    /// The same rows read, page by page, and nothing done with them.
    pub select_floor_rows_per_s: u64,
}

/// Events of one row: a batch of a busy core, some 2.5 KB.
const EVENTS_PER_ROW: u64 = 10;
/// Rows of the run among all others: a quarter of a minute.
pub const BRIEF_ROWS: u64 = 60_000;
/// Room for the whole backlog: the relay is measured, not the disk.
const BUFFER_POOL_MB: u32 = 1_536;

/// Makes a backlog of `rows`, and drains it.
pub async fn measure(
    dir: &Path,
    progress: &ProgressDisplay,
    rows: u64,
) -> anyhow::Result<OutboxFigures> {
    let on_step = |step: &str| progress.step(&format!("starting {step}"));
    let options = StageOptions {
        fence: false,
        dispatch: false,
        mariadb: MariadbOptions {
            buffer_pool_mb: BUFFER_POOL_MB,
            ..MariadbOptions::default()
        },
        ..crate::bench::options()
    };
    let mut stage = DrillStage::prepare(dir, options, &on_step).await?;
    stage.start_core().await?;
    let mut core = stage.core.take().context("no core")?;
    core.terminate(Duration::from_secs(15)).await?;
    progress.step(&format!("outbox: writing {rows} rows"));
    let events = serde_json::to_string(&events())?;
    fill(&mut sql::connect(&stage.url).await?, &stage, rows, &events).await?;
    let bytes_per_row = events.len();
    progress.step("outbox: a bare producer");
    let produce_floor_rows_per_s = floor(&stage.brokers, rows / 5).await?;
    progress.step("outbox: a bare reader");
    let select_floor_rows_per_s = select_floor(&stage, rows).await?;
    progress.step("outbox: draining");
    let rows_per_s = drain(&stage, rows).await?;
    stage.down().await?;
    Ok(OutboxFigures {
        rows,
        bytes_per_row,
        rows_per_s,
        produce_floor_rows_per_s,
        select_floor_rows_per_s,
    })
}

fn events() -> Vec<OrderEvent> {
    let event = |n: u64| OrderEvent {
        id: format!("01990000000070008000000000000{n:03}-3"),
        kind: "withdraw.success".into(),
        account_id: format!("A{n:05}"),
        order_id: format!("01990000000070008000000000000{n:03}"),
        transaction_id: format!("bench-{n}"),
        biz_no: Some(format!("bench-{n}")),
        amount: Decimal::new(125, 2),
        currency: "CNY".into(),
        version: 3,
        occurred_us: 1_795_285_800_000_000,
        correlation_id: None,
        traceparent: None,
    };
    (0..EVENTS_PER_ROW).map(event).collect()
}

async fn fill(conn: &mut Conn, stage: &DrillStage, rows: u64, events: &str) -> anyhow::Result<()> {
    let orders = &stage.schemas.orders;
    // Nobody reads of these in the binlog, and writing there takes as long again.
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    for start in (0..rows).step_by(1_000) {
        let now = now_us();
        let values: Vec<String> = (start..rows.min(start + 1_000))
            .map(|n| format!("('A{:05}','{}','','{events}',{now})", n % 500, new_tx_id()))
            .collect();
        conn.query_drop(format!(
            "INSERT INTO {orders}.outbox (account_id,tx_id,signature,events,created_us) VALUES {}",
            values.join(",")
        ))
        .await?;
    }
    Ok(())
}

async fn floor(brokers: &str, rows: u64) -> anyhow::Result<u64> {
    let producer: FutureProducer = producer(&KafkaConnection::open(brokers))?;
    let (events, begun) = (events(), Instant::now());
    for start in (0..rows).step_by(1_000) {
        let mut sent = Vec::new();
        for _ in start..rows.min(start + 1_000) {
            for event in &events {
                let body = serde_json::to_vec(event)?;
                let record = FutureRecord::to(ORDER_TOPIC)
                    .key(&event.account_id)
                    .payload(&body);
                sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
            }
        }
        for delivery in futures_util::future::try_join_all(sent).await? {
            delivery.map_err(|(error, _)| error)?;
        }
    }
    Ok(per_second(rows, begun.elapsed()))
}

async fn select_floor(stage: &DrillStage, rows: u64) -> anyhow::Result<u64> {
    let mut conn = sql::connect(&stage.url).await?;
    let (begun, mut cursor, mut read) = (Instant::now(), String::new(), 0);
    while read < rows {
        let sql = format!(
            "SELECT account_id,tx_id,events,created_us FROM {}.outbox FORCE INDEX (by_tx) WHERE tx_id>? \
             ORDER BY tx_id LIMIT 500",
            stage.schemas.orders
        );
        let page: Vec<(String, String, String, i64)> = conn.exec(sql, (&cursor,)).await?;
        let last = page.last().context("rows went by themselves")?;
        cursor.clone_from(&last.1);
        read += page.len() as u64;
    }
    Ok(per_second(rows, begun.elapsed()))
}

async fn drain(stage: &DrillStage, rows: u64) -> anyhow::Result<u64> {
    let pool = Pool::open(&stage.url, &stage.schemas.orders, 4)?;
    let mut relay = OutboxRelay {
        pool: pool.clone(),
        schemas: stage.schemas.clone(),
        key: stage.signer.clone(),
        owner: "bench".into(),
        producer: Some(producer(&KafkaConnection::open(&stage.brokers))?),
        certificates: None,
        archive_after: Duration::MAX,
        gives_up: false,
        held: HeldLease::default(),
        counted: None,
    };
    let (begun, mut gone) = (Instant::now(), 0);
    while gone < rows {
        let some = relay.round().await? as u64;
        ensure!(some > 0, "{gone} of {rows} rows went, then none");
        gone += some;
    }
    let elapsed = begun.elapsed();
    Ok(per_second(rows, elapsed))
}

fn per_second(rows: u64, elapsed: Duration) -> u64 {
    (u128::from(rows) * 1_000 / elapsed.as_millis().max(1)) as u64
}
