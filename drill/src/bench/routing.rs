//! What a claim costs beside a long history: the core's own claim, with limits in
//! force, on a database with few past orders and on one with very many, in turn.

use super::floor::{self, Books};
use super::totals;
use crate::setup::{Mariadb, MariadbOptions};
use crate::story::progress::Progress;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Pool};
use serde::Serialize;
use sluice_contract::clock::now_us;
use sluice_contract::keys::{KeyRing, Keys};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql;
use sluice_core::cases::aside::Aside;
use sluice_core::channels::Client;
use sluice_core::config;
use sluice_core::dispatch::{Dispatcher, ReadyQueue, Suspects};
use sluice_core::guard::fence::Fence;
use sluice_core::orders::OrderRef;
use sluice_core::outcome::{Hearing, Outcomes, Waits};
use sluice_core::routing::{Routing, change, file};
use sluice_core::schema::{Servers, migrate};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Accounts of past and new orders; a multiple of the floor's connections.
pub(super) const ACCOUNTS: u64 = 10_000;
/// Past orders of the small database.
const FEW: u64 = 10_000;
/// Rows of one INSERT while filling.
const STRIDE: u64 = 250_000;
/// Days over which the past orders are spread.
const DAYS: u64 = 365;
const WARM_UP: usize = 20;
/// Claims measured on each side, in turns of `TURN`.
const CLAIMS: usize = 160;
const TURN: usize = 20;
/// A limit on every scope, so that each order's totals are asked and counted.
const LIMITS: &str = r#"
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

/// How much history to make, and for how long at most.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    pub orders: u64,
    pub most: Duration,
}

/// The small one of `make bench`.
pub const BRIEF: Fill = Fill {
    orders: 1_000_000,
    most: Duration::from_secs(15),
};

/// Orders a second, in transactions of 64.
#[derive(Debug, Serialize)]
pub struct RoutingTotals {
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
struct Side {
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

pub async fn measure(dir: &Path, progress: &Progress, fill: Fill) -> anyhow::Result<RoutingTotals> {
    progress.step("starting a private MariaDB for the routing totals");
    // Room for the whole history in memory: what is compared is the claim, not a disk.
    let options = MariadbOptions {
        buffer_pool_mb: 8_192,
        log_file_mb: 4_096,
        ..MariadbOptions::default()
    };
    let mut server = Mariadb::start(&dir.join("mariadb"), options).await?;
    progress.step("routing totals: making a history of orders");
    let (mut small, ..) = side(
        &server.url(),
        "small",
        Fill {
            orders: FEW,
            ..fill
        },
    )
    .await?;
    let (mut large, large_rows, large_totals) = side(&server.url(), "large", fill).await?;
    progress.step(&format!(
        "routing totals: claims beside {FEW} and beside {large_rows} past orders"
    ));
    for side in [&mut small, &mut large] {
        side.claims(WARM_UP).await?;
        (side.spent, side.claimed) = (Duration::ZERO, 0);
        // Each account's row of today is there, as on any day but its first moments.
        side.totals(2 * ACCOUNTS as usize / floor::BATCH as usize)
            .await?;
        side.totals_spent = Duration::ZERO;
    }
    for _ in 0..CLAIMS / TURN {
        for side in [&mut small, &mut large] {
            side.claims(TURN).await?;
            side.totals(TURN).await?;
        }
    }
    let figures = RoutingTotals {
        totals_small_per_s: small.totals_per_s()?,
        totals_large_per_s: large.totals_per_s()?,
        small_per_s: small.per_s()?,
        large_per_s: large.per_s()?,
        large_rows,
        large_totals,
    };
    progress.done(&format!(
        "routing totals: of {} orders/s beside {FEW} past orders, of {} beside {large_rows}; whole claims {} and {}",
        figures.totals_small_per_s, figures.totals_large_per_s, figures.small_per_s, figures.large_per_s
    ));
    drop((small, large));
    server.stop().await?;
    Ok(figures)
}

impl Side {
    async fn claims(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let from = self
                .orders
                .len()
                .checked_sub(floor::BATCH as usize)
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
        self.totals_spent += totals::take(&mut self.totals, batches, &mut self.next).await?;
        Ok(())
    }

    fn per_s(&self) -> anyhow::Result<u64> {
        a_second(self.claimed, self.spent)
    }

    fn totals_per_s(&self) -> anyhow::Result<u64> {
        a_second(CLAIMS as u64 * floor::BATCH, self.totals_spent)
    }
}

fn a_second(count: u64, spent: Duration) -> anyhow::Result<u64> {
    Ok(u64::try_from(
        u128::from(count) * 1_000_000 / spent.as_micros().max(1),
    )?)
}

/// A database with its history, new orders to claim, and limits in force; and how
/// many past orders and totals it has.
async fn side(url: &str, name: &str, fill: Fill) -> anyhow::Result<(Side, u64, u64)> {
    let schemas = Schemas::under(name)?;
    migrate(&Servers::together(url), &schemas).await?;
    let mut conn = Conn::new(sql::options(url)?.db_name(Some(&schemas.orders))).await?;
    let past = past_orders(url, &schemas, fill).await?;
    let totals = past_totals(&mut conn, past).await?;
    let (draft, _) = file::parse(LIMITS).map_err(|all| anyhow::anyhow!("{all:?}"))?;
    let by = change::By {
        author: "bench".into(),
        reason: "limits on every scope".into(),
    };
    change::publish(&mut conn, &draft, 0, &by, now_us()).await?;
    let key = Secret::new("a key of the bench alone");
    let books = Books {
        url: url.to_owned(),
        schemas: schemas.clone(),
        key: key.clone(),
        accounts: ACCOUNTS,
    };
    let currency = "CNY".parse()?;
    floor::fund(&books, currency).await?;
    let (needed, mut made) = ((WARM_UP + CLAIMS) as u64 * floor::BATCH, 0);
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
    let side = Side {
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
async fn past_orders(url: &str, schemas: &Schemas, fill: Fill) -> anyhow::Result<u64> {
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
    fill: Fill,
    (from, to): (u64, u64),
) -> anyhow::Result<u64> {
    let mut conn = Conn::new(sql::options(url)?.db_name(Some(&schemas.orders))).await?;
    conn.query_drop("SET SESSION sql_log_bin=0, unique_checks=0")
        .await?;
    let (begun, each) = (Instant::now(), (fill.orders / ACCOUNTS).max(1));
    let mut done = from;
    while done < to && begun.elapsed() < fill.most {
        let last = (done + STRIDE).min(to) - 1;
        let insert = format!(
            "INSERT INTO orders (account_id,order_id,client,user_id,to_account,amount,currency,state,channel,serial_no,\
             trade_time,attempts,version,created_us,updated_us) \
             SELECT CONCAT('B',LPAD(seq DIV {each},6,'0')),LPAD(HEX(seq),32,'0'),'floor','user-1','payee-1',100.25,'CNY',\
             'success','netsunion',LPAD(HEX(seq),32,'0'),\
             DATE_FORMAT(UTC_DATE() - INTERVAL 1+seq MOD {DAYS} DAY,'%Y%m%d120000'),1,4,1,1 FROM seq_{done}_to_{last}"
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
    for (digits, units, days) in [(8, "DAY", DAYS), (6, "MONTH", 12)] {
        let format = if digits == 8 { "%Y%m%d" } else { "%Y%m" };
        let rows = (past / ACCOUNTS).clamp(1, days);
        for from in (0..ACCOUNTS).step_by(1_000) {
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
    let pool: Pool = sql::pool_of(sql::options(url)?.db_name(Some(schemas.orders.clone())), 4)?;
    let settings = config::Channel {
        id: "netsunion".into(),
        url: "http://127.0.0.1:1".into(),
        zone: "UTC".into(),
        concurrency: 128,
        query_concurrency: 32,
        connect_timeout_ms: None,
        deadline_ms: 1_000,
    };
    let ready = ReadyQueue::new(1);
    let hearing = Hearing {
        clients: Arc::default(),
        first_us: 1,
        longest_us: 1,
        max_notifications: 1,
    };
    let waits = Waits {
        first_query_us: 1,
        callback_us: 1,
        hearing,
    };
    let outcomes = Outcomes::start(&pool, schemas, key, &waits, &ready, None);
    let fence = config::Fence {
        enabled: false,
        sidecar_url: String::new(),
    };
    Ok(Dispatcher {
        config: config::Dispatch::default(),
        schemas: schemas.clone(),
        key: key.clone(),
        fence: Fence::start(&fence, "bench", schemas, None)?,
        routing: Routing::new([settings.id.as_str()].into_iter()),
        channels: Arc::from([Client::new(
            &settings,
            KeyRing::fixed(Keys::new(key.clone(), None)),
            &ready,
        )?]),
        suspects: Suspects::new(Aside::new(&pool, schemas, key)),
        pool,
        outcomes,
        ready,
    })
}
