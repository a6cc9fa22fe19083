//! The invariants, checked after every story, test and drill against the
//! database and against the channels' own books.

mod payments;
mod sql;

use anyhow::Context;
use mysql_async::Pool;
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::schema::Schemas;
use std::collections::HashMap;

/// One payment that a channel really made, from its own book.
#[derive(Debug, Clone)]
pub struct CheckedPayment {
    pub serial_no: String,
    pub to_account: String,
    pub amount: Decimal,
    pub currency: String,
    pub returned: bool,
}

/// The invariants. `problems` names what broke them, a few of each kind.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Invariants {
    pub paid_at_most_once: bool,
    pub ledger_balanced: bool,
    pub balances_match_ledger: bool,
    pub channel_book_matches: bool,
    /// No payment is refunded and settled beyond what was captured, and each part is
    /// the sum of its orders.
    pub payments_not_exceeded: bool,
    pub totals_match_orders: bool,
    #[serde(skip)]
    pub problems: Vec<String>,
}

impl Invariants {
    pub fn all_hold(&self) -> bool {
        self.paid_at_most_once
            && self.ledger_balanced
            && self.balances_match_ledger
            && self.channel_book_matches
            && self.payments_not_exceeded
            && self.totals_match_orders
    }
}

/// Problems of one kind that are worth listing; more only say the same.
const MAX_PROBLEMS_SHOWN: usize = 5;

/// Servers of the schemas; all the same pool if they are together.
#[derive(Clone, Copy)]
pub struct CheckedServers<'a> {
    pub orders: &'a Pool,
    pub balance: &'a Pool,
    pub ledger: &'a Pool,
}

/// Checks all of them. Takes the channels' books as they are now: unfinished orders
/// may be in them or not.
pub async fn invariants(
    servers: CheckedServers<'_>,
    schemas: &Schemas,
    book: &[CheckedPayment],
) -> anyhow::Result<Invariants> {
    let mut conn = servers.orders.get_conn().await.context("invariants")?;
    let mut all = Invariants::default();
    let mut books = servers
        .ledger
        .get_conn()
        .await
        .context("invariants: ledger")?;
    let ledger = sql::unbalanced_postings(&mut books, schemas).await?;
    all.ledger_balanced = note(&mut all.problems, "posting does not balance", ledger);
    let sums = sql::entry_sums(&mut books, schemas).await?;
    let mut balance = servers
        .balance
        .get_conn()
        .await
        .context("invariants: balance")?;
    let balances = differing(sql::balances(&mut balance, schemas).await?, sums);
    all.balances_match_ledger = note(&mut all.problems, "balance is not its entries", balances);
    let payments = payments::off(&mut balance, &mut conn, schemas).await?;
    all.payments_not_exceeded = note(&mut all.problems, "payment is not its orders", payments);
    let orders = sql::orders(&mut conn, schemas).await?;
    all.paid_at_most_once = note(&mut all.problems, "paid more than once", doubled(book));
    all.channel_book_matches = note(
        &mut all.problems,
        "order and channel's book differ",
        differences(&orders, book),
    );
    let totals = sql::totals_off(&mut conn, schemas).await?;
    all.totals_match_orders = note(
        &mut all.problems,
        "total is not the sum of its orders",
        totals,
    );
    Ok(all)
}

fn note(problems: &mut Vec<String>, kind: &str, found: Vec<String>) -> bool {
    problems.extend(
        found
            .iter()
            .take(MAX_PROBLEMS_SHOWN)
            .map(|what| format!("{kind}: {what}")),
    );
    if found.len() > MAX_PROBLEMS_SHOWN {
        problems.push(format!("{kind}: {} more", found.len() - MAX_PROBLEMS_SHOWN));
    }
    found.is_empty()
}

/// Balances that differ from the sums of their entries, don't add up, or are negative.
fn differing(balances: sql::CheckedSumsByKey, mut entries: sql::CheckedSumsByKey) -> Vec<String> {
    let mut found = Vec::new();
    for (key, has) in balances {
        let say = entries.remove(&key).unwrap_or_default();
        let adds_up = has
            .total
            .is_none_or(|total| total == has.available + has.reserved);
        let parts = |b: &sql::CheckedSums| [b.available, b.reserved, b.intermediate, b.held];
        if !adds_up || parts(&has) != parts(&say) || parts(&has).iter().any(|p| *p < Decimal::ZERO)
        {
            found.push(format!(
                "{} {} has {has:?}, entries say {say:?}",
                key.0, key.1
            ));
        }
    }
    let unowned = entries
        .iter()
        .filter(|(_, sums)| **sums != sql::CheckedSums::default());
    found.extend(
        unowned
            .map(|(key, say)| format!("{} {} has no balance, entries say {say:?}", key.0, key.1)),
    );
    found
}

/// Serial numbers that left a channel twice, on whatever day.
fn doubled(book: &[CheckedPayment]) -> Vec<String> {
    let mut times: HashMap<&str, u32> = HashMap::new();
    for paid in book {
        *times.entry(&paid.serial_no).or_default() += 1;
    }
    times
        .into_iter()
        .filter(|(_, n)| *n > 1)
        .map(|(serial, n)| format!("{serial} {n} times"))
        .collect()
}

/// An order at its end says the same as the channel's book; a payment in the book
/// belongs to an order.
fn differences(orders: &[sql::CheckedOrder], book: &[CheckedPayment]) -> Vec<String> {
    let mut paid: HashMap<&str, &CheckedPayment> =
        book.iter().map(|p| (p.serial_no.as_str(), p)).collect();
    let mut found = Vec::new();
    for order in orders {
        let entry = paid.remove(order.serial_no.as_str());
        let fits = match (order.state.as_str(), entry) {
            ("success", Some(p)) => same(order, p),
            ("returned", Some(p)) => same(order, p) && p.returned,
            ("success" | "returned", None) => false,
            ("failed", entry) => entry.is_none(),
            ("init", Some(_)) => order.attempts > 0,
            _ => true,
        };
        if !fits {
            found.push(format!(
                "{} is {}, the book says {entry:?}",
                order.order_id, order.state
            ));
        }
    }
    found.extend(
        paid.keys()
            .map(|serial| format!("{serial} was paid without an order")),
    );
    found
}

fn same(order: &sql::CheckedOrder, paid: &CheckedPayment) -> bool {
    order.amount == paid.amount
        && order.currency == paid.currency
        && order.to_account == paid.to_account
}

/// Orders by state, and verdicts of violations on accounts outside `expected`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StateCounts {
    pub by_state: HashMap<String, u64>,
    pub false_positives: u64,
}

impl StateCounts {
    pub fn of(&self, state: &str) -> u64 {
        self.by_state.get(state).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.by_state.values().sum()
    }

    /// Orders not at an end.
    pub fn unfinished(&self) -> u64 {
        self.total() - self.of("success") - self.of("failed") - self.of("returned")
    }
}

pub async fn counts(
    pool: &Pool,
    schemas: &Schemas,
    expected: &[String],
) -> anyhow::Result<StateCounts> {
    let mut conn = pool.get_conn().await?;
    sql::counts(&mut conn, schemas, expected).await
}

#[cfg(test)]
mod tests;
