//! The cost of a claim beside a long history: the core's own claim, with limits in
//! force, on a database with few past orders and on one with very many, in turn.

use crate::bench::floor::{self, FloorBooks};
use crate::bench::routing_totals;
use crate::output::progress::ProgressDisplay;
use crate::setup::{MariadbOptions, MariadbServer};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde::Serialize;
use sluice_contract::clock::now_us;
use sluice_contract::keys::{KeyRing, SigningKeys};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql::{Conn, Pool};
use sluice_contract::supervisor::Supervisor;
use sluice_contract::tls::ClientTlsSettings;
use sluice_core::channels::ChannelClient;
use sluice_core::config;
use sluice_core::dispatch::{Dispatcher, IsolationQueue};
use sluice_core::guard::fence::FenceClient;
use sluice_core::orders::{OrderRef, OrderSeals};
use sluice_core::outcome::{AckPolicy, OutcomeDelays, OutcomeRecorder};
use sluice_core::quarantine::OrderQuarantine;
use sluice_core::ready_queue::ReadyQueue;
use sluice_core::routing::{ActiveRouting, change, file};
use sluice_core::schema::{DatabaseUrls, migrate};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Accounts of past and new orders; a multiple of the floor's connections.
pub(super) const ACCOUNT_COUNT: u64 = 10_000;
/// Past orders of the small database.
const SMALL_HISTORY_ORDERS: u64 = 10_000;
/// Rows of one INSERT while filling: few enough to end within a call's deadline.
const ORDERS_PER_INSERT: u64 = 50_000;
/// Days over which the past orders are spread.
const HISTORY_DAYS: u64 = 365;
const WARM_UP_BATCHES: usize = 20;
/// Claims measured on each side, in turns of `BATCHES_PER_TURN`.
const CLAIM_BATCHES: usize = 160;
const BATCHES_PER_TURN: usize = 20;
/// A limit on every scope, so that each order's totals are asked and counted.
const ROUTING_CONFIG: &str = r#"
[[channel]]
id = "netsunion"
priority = 1
[[rule]]
id = "single"
condition = "amount <= most"
message = "above {most}"
details."*".most = 5000000
[[limit]]
scope = "account"
currency = "CNY"
day = 100000000
month = 1000000000
[[limit]]
scope = "channel"
currency = "CNY"
day = 900000000000
[[limit]]
scope = "user"
currency = "CNY"
month = 900000000000
[[limit]]
scope = "business"
currency = "CNY"
month = 900000000000
"#;

/// History to make, and the time to spend on it at most.
#[derive(Debug, Clone, Copy)]
pub struct HistoryFill {
    pub orders: u64,
    pub max_time: Duration,
}

/// The small one of `make bench`.
pub const BRIEF_FILL: HistoryFill = HistoryFill {
    orders: 1_000_000,
    max_time: Duration::from_secs(15),
};

/// Orders a second, in transactions of 64.
#[derive(Debug, Serialize)]
pub struct RoutingFigures {
    /// Their totals alone: locked, counted, written, committed.
    pub totals_small_per_s: u64,
    pub totals_large_per_s: u64,
    /// The whole claim.
    pub small_per_s: u64,
    pub large_per_s: u64,
    /// Past orders beside which `large_per_s` was taken.
    pub large_rows: u64,
    /// Rows of totals that they left.
    pub large_totals: u64,
}

/// One database and the core's dispatcher on it.
struct ClaimSide {
    dispatcher: Dispatcher,
    conn: Option<Conn>,
    orders: Vec<OrderRef>,
    spent: Duration,
    claimed: u64,
    /// For the totals alone.
    totals: Conn,
    totals_spent: Duration,
    next: u64,
}

pub async fn measure(
    dir: &Path,
    progress: &ProgressDisplay,
    fill: HistoryFill,
) -> anyhow::Result<RoutingFigures> {
    progress.step("starting a private MariaDB for the routing totals");
    // Room for the whole history in memory: what is compared is the claim, not a disk.
    let options = MariadbOptions {
        buffer_pool_mb: 8_192,
        log_file_mb: 4_096,
        ..MariadbOptions::default()
    };
    let mut server = MariadbServer::start(&dir.join("mariadb"), options).await?;
    progress.step("routing totals: making a history of orders");
    let (mut small, ..) = side(
        &server.url(),
        "small",
        HistoryFill {
            orders: SMALL_HISTORY_ORDERS,
            ..fill
        },
    )
    .await?;
    let (mut large, large_rows, large_totals) = side(&server.url(), "large", fill).await?;
    progress.step(&format!(
        "routing totals: claims beside {SMALL_HISTORY_ORDERS} and beside {large_rows} past orders"
    ));
    for side in [&mut small, &mut large] {
        side.claims(WARM_UP_BATCHES).await?;
        (side.spent, side.claimed) = (Duration::ZERO, 0);
        // Each account's row of today is there, as on any day but its first moments.
        side.totals(2 * ACCOUNT_COUNT as usize / floor::ORDERS_PER_TRANSACTION as usize)
            .await?;
        side.totals_spent = Duration::ZERO;
    }
    for _ in 0..CLAIM_BATCHES / BATCHES_PER_TURN {
        for side in [&mut small, &mut large] {
            side.claims(BATCHES_PER_TURN).await?;
            side.totals(BATCHES_PER_TURN).await?;
        }
    }
    let figures = RoutingFigures {
        totals_small_per_s: small.totals_per_s()?,
        totals_large_per_s: large.totals_per_s()?,
        small_per_s: small.per_s()?,
        large_per_s: large.per_s()?,
        large_rows,
        large_totals,
    };
    progress.done(&format!(
        "routing totals: of {} orders/s beside {SMALL_HISTORY_ORDERS} past orders, of {} beside {large_rows}; whole claims {} and {}",
        figures.totals_small_per_s, figures.totals_large_per_s, figures.small_per_s, figures.large_per_s
    ));
    drop((small, large));
    server.stop().await?;
    Ok(figures)
}

impl ClaimSide {
    async fn claims(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let from = self
                .orders
                .len()
                .checked_sub(floor::ORDERS_PER_TRANSACTION as usize)
                .context("no orders are left to claim")?;
            let batch = self.orders.split_off(from);
            let begun = Instant::now();
            let claimed = self.dispatcher.claim(&mut self.conn, &batch).await?;
            self.spent += begun.elapsed();
            ensure!(
                claimed == batch.len(),
                "{claimed} of {} orders were claimed",
                batch.len()
            );
            self.claimed += claimed as u64;
        }
        Ok(())
    }

    async fn totals(&mut self, batches: usize) -> anyhow::Result<()> {
        self.totals_spent +=
            routing_totals::take(&mut self.totals, batches, &mut self.next).await?;
        Ok(())
    }

    fn per_s(&self) -> anyhow::Result<u64> {
        a_second(self.claimed, self.spent)
    }

    fn totals_per_s(&self) -> anyhow::Result<u64> {
        a_second(
            CLAIM_BATCHES as u64 * floor::ORDERS_PER_TRANSACTION,
            self.totals_spent,
        )
    }
}

fn a_second(count: u64, spent: Duration) -> anyhow::Result<u64> {
    Ok(u64::try_from(
        u128::from(count) * 1_000_000 / spent.as_micros().max(1),
    )?)
}

/// A database with its history, new orders to claim, and limits in force; and how
/// many past orders and totals it has.
async fn side(url: &str, name: &str, fill: HistoryFill) -> anyhow::Result<(ClaimSide, u64, u64)> {
    let schemas = Schemas::under(name)?;
    migrate(&DatabaseUrls::together(url), &schemas).await?;
    let mut conn = Pool::open(url, &schemas.orders, 1)?.connect().await?;
    let past = past_orders(url, &schemas, fill).await?;
    let totals = past_totals(&mut conn, past).await?;
    let (draft, _) = file::parse(ROUTING_CONFIG).map_err(|all| anyhow::anyhow!("{all:?}"))?;
    let by = change::RoutingChangeNote {
        author: "bench".into(),
        reason: "limits on every scope".into(),
    };
    let key = Secret::new("a key of the bench alone");
    change::publish(&mut conn, &draft, 0, &by, (&key, now_us())).await?;
    let books = FloorBooks {
        url: url.to_owned(),
        schemas: schemas.clone(),
        key: key.clone().into(),
        accounts: ACCOUNT_COUNT,
    };
    let currency = "CNY".parse()?;
    floor::fund(&books, currency).await?;
    let (needed, mut made) = (
        (WARM_UP_BATCHES + CLAIM_BATCHES) as u64 * floor::ORDERS_PER_TRANSACTION,
        0,
    );
    while made < needed {
        made += floor::accept(&books, currency, Duration::from_secs(1))
            .await?
            .1;
    }
    let new = "SELECT order_id,account_id FROM orders WHERE due_us > 0 ORDER BY order_id DESC LIMIT 20000";
    let new: Vec<(String, String)> = conn.query(new).await?;
    let orders = new
        .into_iter()
        .map(|(id, account)| OrderRef::new(&account, &id))
        .collect();
    let dispatcher = dispatcher(url, &schemas, &key)?;
    let spent = Duration::ZERO;
    let side = ClaimSide {
        dispatcher,
        conn: None,
        orders,
        spent,
        claimed: 0,
        totals: conn,
        totals_spent: spent,
        next: 0,
    };
    Ok((side, past, totals))
}

/// Ended orders of the same accounts, from the last year, made by two connections;
/// how many there are.
async fn past_orders(url: &str, schemas: &Schemas, fill: HistoryFill) -> anyhow::Result<u64> {
    let half = fill.orders / 2;
    let [low, high] =
        [(0, half), (half, fill.orders)].map(|range| past_range(url, schemas, fill, range));
    let (low, high) = tokio::try_join!(low, high)?;
    Ok(low + high)
}

/// Not in the binlog: nobody follows it here.
async fn past_range(
    url: &str,
    schemas: &Schemas,
    fill: HistoryFill,
    (from, to): (u64, u64),
) -> anyhow::Result<u64> {
    let mut conn = Pool::open(url, &schemas.orders, 1)?.connect().await?;
    conn.query_drop("SET SESSION sql_log_bin=0, unique_checks=0")
        .await?;
    let (begun, each) = (Instant::now(), (fill.orders / ACCOUNT_COUNT).max(1));
    let mut done = from;
    while done < to && begun.elapsed() < fill.max_time {
        let last = (done + ORDERS_PER_INSERT).min(to) - 1;
        let insert = format!(
            "INSERT INTO orders (account_id,order_id,client,user_id,to_account,amount,currency,state,channel,serial_no,\
             trade_time,attempts,version,created_us,updated_us) \
             SELECT CONCAT('B',LPAD(seq DIV {each},6,'0')),LPAD(HEX(seq),32,'0'),'floor','user-1','payee-1',100.25,'CNY',\
             'success','netsunion',LPAD(HEX(seq),32,'0'),\
             DATE_FORMAT(UTC_DATE() - INTERVAL 1+seq MOD {HISTORY_DAYS} DAY,'%Y%m%d120000'),1,4,1,1 FROM seq_{done}_to_{last}"
        );
        conn.query_drop(insert)
            .await
            .context("the history is made with MariaDB's sequence engine")?;
        done = last + 1;
    }
    Ok(done - from)
}

/// The totals that these orders left: of each account per day and month. (Those of
/// the one channel, user and business are few.)
async fn past_totals(conn: &mut Conn, past: u64) -> anyhow::Result<u64> {
    for (digits, units, days) in [(8, "DAY", HISTORY_DAYS), (6, "MONTH", 12)] {
        let format = if digits == 8 { "%Y%m%d" } else { "%Y%m" };
        let rows = (past / ACCOUNT_COUNT).clamp(1, days);
        for from in (0..ACCOUNT_COUNT).step_by(1_000) {
            let insert = format!(
                "INSERT INTO limit_total (scope,scope_key,currency,period,amount,version,updated_us) \
                 SELECT 'account',CONCAT('B',LPAD(a.seq,6,'0')),'CNY',\
                 DATE_FORMAT(UTC_DATE() - INTERVAL 1+d.seq {units},'{format}'),100.25,1,1 \
                 FROM seq_{from}_to_{} a JOIN seq_1_to_{rows} d",
                from + 999
            );
            conn.query_drop(insert).await?;
        }
    }
    let count: Option<u64> = conn.query_first("SELECT COUNT(*) FROM limit_total").await?;
    Ok(count.unwrap_or(0))
}

/// The core's own dispatcher; nothing is ever sent, so the channel needs no answer.
fn dispatcher(url: &str, schemas: &Schemas, key: &Secret) -> anyhow::Result<Dispatcher> {
    let pool = Pool::open(url, &schemas.orders, 4)?;
    let settings = config::ChannelConfig {
        id: "netsunion".into(),
        url: "http://127.0.0.1:1".into(),
        zone: "UTC".into(),
        concurrency: 128,
        query_concurrency: 32,
        connect_timeout_ms: None,
        decimals: Default::default(),
        currencies: None,
        tls: ClientTlsSettings::default(),
        plaintext_beyond_loopback: false,
        deadline_ms: 1_000,
        send_within_ms: 1_000,
        quiet_ms: 1_000,
    };
    let ready = ReadyQueue::new(1);
    let ack_policy = AckPolicy {
        clients: Arc::default(),
        first_us: 1,
        max_delay_us: 1,
        max_notifications: 1,
    };
    let waits = OutcomeDelays {
        first_query_us: 1,
        callback_us: 1,
        ack_policy,
        ..OutcomeDelays::default()
    };
    let parts = Supervisor::default();
    let seals = OrderSeals::new(&key.clone().into(), &[], 0);
    let outcomes = OutcomeRecorder::start(&parts, &pool, schemas, &seals, &waits, &ready, None);
    let fence = config::FenceClientConfig {
        enabled: false,
        ..config::FenceClientConfig::default()
    };
    Ok(Dispatcher {
        config: config::DispatchConfig::default(),
        schemas: schemas.clone(),
        key: key.clone().into(),
        seals,
        together: true,
        fence: FenceClient::start(&parts, &fence, "bench", schemas, (None, key.clone()))?,
        routing: ActiveRouting::new([settings.id.as_str()].into_iter()),
        channels: Arc::from([ChannelClient::new(
            &settings,
            KeyRing::fixed(SigningKeys::new(key.clone(), None)),
            &ready,
            None,
        )?]),
        suspects: IsolationQueue::new(OrderQuarantine::new(&pool, schemas, &key.clone().into())),
        day_zone: "UTC".into(),
        pool,
        outcomes,
        ready,
        parts,
    })
}
