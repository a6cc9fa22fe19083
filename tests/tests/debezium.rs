//! The sidecar reads the database through Debezium's own engine and Kafka alone: the
//! same faults are found as through the binlog, and nothing else is.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::event::{BUSINESS_TOPICS, ORDER_TOPIC};
use sluice_drill::faults::{FaultKind, injection};
use sluice_drill::load;
use sluice_drill::setup::{KafkaBroker, debezium};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(20);
const SILENCE_METRIC: &str = "sluice_sidecar_source_silence_seconds{source=\"changes\"} ";

#[tokio::test(flavor = "multi_thread")]
async fn through_change_events_the_same_faults_are_found() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = KafkaBroker::start(&dir.path().join("kafka"), None).await?;
    let changes = Some(debezium::TOPIC_PREFIX.to_owned());
    let mut set = TestStage::prepare(StageOptions {
        brokers: Some(broker.brokers()),
        changes,
        ..options()
    })
    .await?;
    create_topics(&set, &broker).await?;
    set.stage.start_core().await?;
    let captures = dir.path().join("capture");
    let mut engine = debezium::start(
        &captures,
        &set.stage.url,
        &broker.brokers(),
        &set.stage.schemas,
    )
    .await?;
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;

    for kind in FaultKind::ALL {
        let account = injection::account_of(kind);
        injection::fund(&set.stage, &account, Decimal::from(10_000)).await?;
        let made = injection::make(&set.stage, kind).await?;
        let seen = injection::watch(&set.stage, &made).await?;
        ensure!(seen.detected && seen.leaked.is_zero(), "{seen:?}");
        injection::clean_up(&set.stage, &made).await?;
    }
    // Honest load while the engine dies, comes back and tells things again, and while
    // the sidecar dies and comes back.
    let traffic = Traffic::new("fed", 20);
    traffic.fund(&set.stage, 1_000).await?;
    let mut sidecar = set
        .stage
        .sidecar
        .take()
        .context("the stage has a sidecar")?;
    let (report, ended) = tokio::join!(
        traffic.open(&set.stage, 20, Duration::from_secs(4)),
        async {
            tokio::time::sleep(Duration::from_millis(1_300)).await;
            engine.kill9()?;
            sidecar.kill9()?;
            engine.restart()?;
            sidecar.restart()
        }
    );
    ended?;
    ensure!(report?.succeeded() == 80, "accepting depends on the feed");
    set.stage.sidecar = Some(sidecar);
    set.stage.wait_for_fence().await?;
    set.everything_is_evaluated().await?;
    let left = set.stage.drain(0, Duration::from_secs(30)).await?;
    ensure!(left == 0, "{left} orders have not ended");
    let expected: Vec<String> = FaultKind::ALL.map(injection::account_of).to_vec();
    let counts =
        sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &expected).await?;
    ensure!(counts.false_positives == 0, "{:?}", set.verdicts().await?);
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    figures_say_what_is_known(&set).await?;
    statements(&set).await
}

/// The connector is heard all the time; how far it is behind nobody knows.
async fn figures_say_what_is_known(set: &TestStage) -> anyhow::Result<()> {
    let (_, metrics) = load::http::get(
        &set.stage.ports.address(set.stage.ports.sidecar),
        "/metrics",
    )
    .await?;
    let metrics = String::from_utf8_lossy(&metrics);
    let silence = metrics
        .lines()
        .find_map(|line| line.strip_prefix(SILENCE_METRIC))
        .context("no silence")?;
    ensure!(
        silence.trim().parse::<f64>()? < 5.0,
        "silent for {silence} s"
    );
    let unknown = [
        "sluice_sidecar_position_lag_transactions{",
        "sluice_sidecar_position_age_seconds{",
    ];
    ensure!(
        !unknown.iter().any(|name| metrics.contains(name)),
        "a position is told that nobody knows"
    );
    Ok(())
}

/// Administration passes, a truncated table is found, a setting that hides rows makes blind.
async fn statements(set: &TestStage) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    let (orders, ledger, guard) = (
        &set.stage.schemas.orders,
        &set.stage.schemas.ledger,
        &set.stage.schemas.guard,
    );
    let sql = format!("SELECT COUNT(*) FROM {guard}.verdict WHERE rule='statement_dml'");
    conn.query_drop(format!(
        "CREATE VIEW {ledger}.seen AS SELECT * FROM {ledger}.entry"
    ))
    .await?;
    conn.query_drop(format!(
        "ALTER TABLE {ledger}.entry ADD COLUMN last_changed_us BIGINT NULL"
    ))
    .await?;
    conn.query_drop(format!("OPTIMIZE TABLE {ledger}.entry"))
        .await?;
    set.everything_is_evaluated().await?;
    ensure!(
        conn.query_first::<u64, _>(&sql).await? == Some(0),
        "{:?}",
        set.verdicts().await?
    );
    let harmful = [
        format!("TRUNCATE TABLE {orders}.cases"),
        format!("ALTER TABLE {ledger}.entry DROP COLUMN last_changed_us"),
    ];
    for (found, statement) in (1..).zip(harmful) {
        conn.query_drop(&statement).await?;
        let begun = Instant::now();
        while conn.query_first::<u64, _>(&sql).await? != Some(found) {
            ensure!(
                begun.elapsed() < WAIT_TIMEOUT,
                "{statement} was not found: {:?}",
                set.verdicts().await?
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    set.everything_is_evaluated().await?;

    for (format, blind) in [("STATEMENT", true), ("ROW", false)] {
        conn.query_drop(format!("SET GLOBAL binlog_format='{format}'"))
            .await?;
        let begun = Instant::now();
        while set.stage.client.sidecar_status().await?["data"]["blind"]
            .to_string()
            .contains("binlog_format")
            != blind
        {
            ensure!(
                begun.elapsed() < WAIT_TIMEOUT,
                "binlog_format {format} is not noticed"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

async fn create_topics(set: &TestStage, broker: &KafkaBroker) -> anyhow::Result<()> {
    for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
        broker.create_topic(topic, 2).await?;
    }
    // Rows of one table over two partitions; transactions keep one order.
    for topic in debezium::topics(&set.stage.schemas) {
        let partitions = if topic.ends_with(".entry") || topic.ends_with(".balance") {
            2
        } else {
            1
        };
        broker.create_topic(&topic, partitions).await?;
    }
    Ok(())
}
