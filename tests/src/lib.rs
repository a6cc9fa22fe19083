//! What the whole-system tests share: a small stage of their own, and the
//! invariants after every scenario.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use sluice_contract::event::{ORDER_TOPIC, OrderEvent};
use sluice_drill::channels::{ActionRates, SimulatedChannelConfig, SimulatorConfig};
use sluice_drill::setup::MariadbOptions;
use sluice_drill::stage::{DrillStage, StageOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The top of the checkout.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// A stage in a directory that goes away with it.
pub struct TestStage {
    pub stage: DrillStage,
    dir: TempDir,
}

/// A small server, quick recovery, channels that behave.
pub fn options() -> StageOptions {
    sluice_contract::telemetry::install_crypto();
    StageOptions {
        rules: top().join("rules"),
        mariadb: MariadbOptions { buffer_pool_mb: 128, log_file_mb: 64, ..MariadbOptions::default() },
        core_extra: "recovery.query_initial_delay_ms = 200\nrecovery.callback_wait_ms = 1500\ndispatch.poll_interval_ms = 200".into(),
        ..StageOptions::default()
    }
}

/// Channels on a bad day; the seed is printed by the simulators and here.
#[allow(clippy::print_stdout)]
pub fn bad_day(seed: u64) -> SimulatorConfig {
    println!("simulators' seed: {seed} (set SLUICE_SEED to play it again)");
    let netsunion = ActionRates {
        timeout_after_paying: 10,
        timeout_without_paying: 10,
        unknown_code: 10,
        http_500_after_paying: 10,
        in_process_then_notify: 30,
        junk_body: 10,
        fail: 20,
        ms: Some(200),
        hold_ms: Some(1_300),
        ..ActionRates::default()
    };
    let unionpay = ActionRates {
        late_callback: 30,
        duplicate_callback: 30,
        callback_before_reply: 30,
        no_callback: 10,
        return_after_success: 20,
        fail_later: 20,
        timeout_after_paying: 10,
        ms: Some(200),
        hold_ms: Some(1_300),
        ..ActionRates::default()
    };
    let psp = ActionRates {
        late_callback: 30,
        duplicate_callback: 30,
        callback_before_reply: 30,
        no_callback: 10,
        unknown_code: 20,
        junk_body: 10,
        fail: 20,
        fail_later: 20,
        timeout_after_paying: 10,
        timeout_without_paying: 10,
        ms: Some(200),
        hold_ms: Some(1_300),
        ..ActionRates::default()
    };
    SimulatorConfig {
        seed: Some(seed),
        netsunion: SimulatedChannelConfig {
            rates: netsunion,
            ..SimulatedChannelConfig::default()
        },
        unionpay: SimulatedChannelConfig {
            rates: unionpay,
            ..SimulatedChannelConfig::default()
        },
        psp: SimulatedChannelConfig {
            rates: psp,
            ..SimulatedChannelConfig::default()
        },
        ..SimulatorConfig::default()
    }
}

/// `SLUICE_SEED`, or a fresh one.
pub fn seed() -> u64 {
    std::env::var("SLUICE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random)
}

/// How an order may begin: in `booking` while the books are apart.
fn begins(state: &str) -> bool {
    ["init", "booking"].contains(&state)
}

impl TestStage {
    /// The whole stage, ready for orders.
    pub async fn up(options: StageOptions) -> anyhow::Result<TestStage> {
        let dir = tempfile::tempdir()?;
        let stage = DrillStage::up(&dir.path().join("stage"), options, &|_: &str| {}).await?;
        Ok(TestStage { stage, dir })
    }

    /// Servers and simulators only.
    pub async fn prepare(options: StageOptions) -> anyhow::Result<TestStage> {
        let dir = tempfile::tempdir()?;
        let stage = DrillStage::prepare(&dir.path().join("stage"), options, &|_: &str| {}).await?;
        Ok(TestStage { stage, dir })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Waits until every order has ended, then checks the invariants, that
    /// nothing was found wrong, and that the sidecar has evaluated everything.
    pub async fn all_is_well(&self) -> anyhow::Result<()> {
        let left = self.stage.drain(0, Duration::from_secs(60)).await?;
        ensure!(
            left == 0,
            "{left} orders have not ended; core says: {}",
            tail(&self.stage.dir.join("core.log"))
        );
        let held = self.stage.invariants().await?;
        ensure!(
            held.all_hold(),
            "invariants are broken: {:?}",
            held.problems
        );
        let counts =
            sluice_drill::checks::counts(&self.stage.pool, &self.stage.schemas, &[]).await?;
        ensure!(
            counts.false_positives == 0,
            "{} false alarms: {:?}",
            counts.false_positives,
            self.verdicts().await?
        );
        self.histories_have_no_gap().await?;
        self.everything_is_evaluated().await
    }

    /// Each version of each order has its row, each row begins where the one before it
    /// ended, and the last is where the order is now.
    pub async fn histories_have_no_gap(&self) -> anyhow::Result<()> {
        type OrderAtVersion = (String, i64, String);
        type CheckedMove = (Option<i64>, Option<String>, Option<String>);
        // One statement, so that both are as of one moment.
        let sql = format!(
            "SELECT o.order_id,o.version,o.state,m.version,m.from_state,m.to_state FROM {0}.orders o \
             LEFT JOIN {0}.order_transition m USING (account_id,order_id) ORDER BY o.order_id,m.version",
            self.stage.schemas.orders
        );
        let rows: Vec<(String, i64, String, _, _, _)> =
            self.stage.pool.get_conn().await?.query(sql).await?;
        let mut orders: BTreeMap<OrderAtVersion, Vec<CheckedMove>> = BTreeMap::new();
        for (order, version, state, to_version, from, to) in rows {
            orders
                .entry((order, version, state))
                .or_default()
                .push((to_version, from, to));
        }
        for ((order, version, state), moves) in orders {
            let mut at = None;
            for (to_version, from, to) in moves {
                let (Some(to_version), Some(from), Some(to)) = (to_version, from, to) else {
                    continue;
                };
                ensure!(at.is_some() || begins(&from), "{order} began as {from}");
                let (was, before) = at.unwrap_or((1, from.clone()));
                ensure!(
                    to_version == was + 1,
                    "{order} has no row between {was} and {to_version}"
                );
                ensure!(
                    from == before,
                    "{order} was {before} at {was} and left {from} at {to_version}"
                );
                at = Some((to_version, to));
            }
            ensure!(
                at.is_some() || begins(&state),
                "{order} is {state} and has no history"
            );
            let ends = at.unwrap_or((1, state.clone()));
            ensure!(
                ends == (version, state.clone()),
                "{order} is {state} at {version}, its history ends at {ends:?}"
            );
        }
        Ok(())
    }

    /// A token raised now passes: the sidecar has evaluated every commit before it.
    pub async fn everything_is_evaluated(&self) -> anyhow::Result<()> {
        use sluice_core::config;
        use sluice_core::guard::fence::FenceClient;
        let settings = config::FenceClientConfig {
            enabled: true,
            sidecar_url: self.stage.ports.url(self.stage.ports.sidecar),
        };
        let parts = sluice_contract::supervisor::Supervisor::default();
        let fence = FenceClient::start(
            &parts,
            &settings,
            "check",
            &self.stage.schemas,
            Some(self.stage.token.clone()),
        )?;
        let mut conn = self.stage.pool.get_conn().await?;
        let token = fence.raise(&mut conn).await?;
        let passed = tokio::time::timeout(Duration::from_secs(30), fence.wait(token)).await;
        passed.with_context(|| format!("the fence has not passed: {:?}", fence.stalled()))?;
        Ok(())
    }

    /// `rule account item` of every verdict.
    pub async fn verdicts(&self) -> anyhow::Result<Vec<String>> {
        let mut conn = self.stage.pool.get_conn().await?;
        let sql = format!(
            "SELECT CONCAT(rule,' ',account_id,' ',item,' ',message) FROM {}.verdict ORDER BY found_us",
            self.stage.schemas.guard
        );
        Ok(conn.query(sql).await?)
    }

    /// All events that the core published so far, from Kafka itself.
    pub fn published(&self) -> anyhow::Result<Vec<OrderEvent>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.stage.brokers)
            .set("group.id", "tests")
            .set("enable.auto.commit", "false")
            .create()?;
        let kafka_timeout = Duration::from_secs(10);
        let metadata = consumer.fetch_metadata(Some(ORDER_TOPIC), kafka_timeout)?;
        let partitions = metadata.topics().first().context("no topic")?.partitions();
        let (mut list, mut due) = (TopicPartitionList::new(), 0);
        for partition in partitions {
            let (low, high) =
                consumer.fetch_watermarks(ORDER_TOPIC, partition.id(), kafka_timeout)?;
            list.add_partition_offset(ORDER_TOPIC, partition.id(), Offset::Offset(low))?;
            due += high - low;
        }
        consumer.assign(&list)?;
        let begun = Instant::now();
        let mut events = Vec::new();
        while (events.len() as i64) < due && begun.elapsed() < Duration::from_secs(30) {
            if let Some(message) = consumer.poll(Duration::from_millis(200)) {
                let message = message?;
                events.push(serde_json::from_slice(
                    message.payload().unwrap_or_default(),
                )?);
            }
        }
        Ok(events)
    }
}

/// The end of a log, for failures.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|l| !l.contains(" INFO ")).collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
