//! The totals alone, as a claim of 64 orders locks, counts and writes them: what a
//! long history may cost a claim without them (pages of orders, each account's on
//! its own) is left out.

use crate::bench::floor;
use crate::bench::routing::ACCOUNT_COUNT;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::sql::Conn;
use sluice_core::batch::LockWait;
use sluice_core::orders::OrderSeals;
use sluice_core::routing::LimitScope;
use sluice_core::routing::limits::repo::{lock_totals, push_totals};
use sluice_core::routing::limits::{LimitTotalKey, LimitTotals};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Accounts lie this far apart from one order to the next: no two share a page.
const ACCOUNT_STEP: u64 = 7_919;

/// Takes of orders, one transaction for each batch of them; how long it took.
pub(super) async fn take(
    conn: &mut Conn,
    batches: usize,
    next: &mut u64,
) -> anyhow::Result<Duration> {
    let time = trade_time(now_us(), "UTC")?;
    let key = sluice_contract::settings::Secret::new("floor");
    let seals = OrderSeals::new(&key.into(), &[], 0);
    let begun = Instant::now();
    for _ in 0..batches {
        let orders: Vec<Vec<LimitTotalKey>> = (0..floor::ORDERS_PER_TRANSACTION)
            .map(|_| {
                *next = (*next + ACCOUNT_STEP) % ACCOUNT_COUNT;
                keys(&format!("B{next:06}"), &time)
            })
            .collect::<anyhow::Result<_>>()?;
        let wanted: BTreeSet<LimitTotalKey> = orders.iter().flatten().cloned().collect();
        conn.query_drop("START TRANSACTION").await?;
        let mut totals = LimitTotals::new(
            wanted.clone(),
            lock_totals(conn, &seals, &wanted, LockWait::Usual).await?,
        );
        orders
            .iter()
            .try_for_each(|keys| totals.take(keys, Decimal::ONE))?;
        let mut sql = String::new();
        push_totals(
            &mut sql,
            &totals.touched(),
            seals.signer().mac_key(),
            now_us(),
        );
        sql.push_str("COMMIT");
        conn.query_drop(sql).await?;
    }
    Ok(begun.elapsed())
}

/// As `routing::limits::keys` gives them for an order of this account.
fn keys(account: &str, time: &str) -> anyhow::Result<Vec<LimitTotalKey>> {
    let owners = [
        (LimitScope::Account, account),
        (LimitScope::Business, "floor"),
        (LimitScope::Channel, "netsunion"),
        (LimitScope::User, "user-1"),
    ];
    let currency = "CNY".parse()?;
    let key = |(scope, key): (LimitScope, &str), digits: usize| LimitTotalKey {
        period: time.chars().take(digits).collect(),
        scope,
        key: key.to_owned(),
        currency,
    };
    Ok(owners
        .into_iter()
        .flat_map(|owner| [key(owner, 6), key(owner, 8)])
        .collect())
}
