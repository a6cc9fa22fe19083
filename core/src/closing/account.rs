//! Closing of one account's day.

use crate::balance::{self, Balance};
use crate::closing::{DayClosing, GRACE_US};
use crate::intents;
use crate::ledger::daily_repo::{self, DailyBalance};
use crate::ledger::{AVAILABLE_BOOK, INTERMEDIATE_BOOK, INTERMEDIATE_RESERVED_BOOK, RESERVED_BOOK};
use crate::transaction::Transaction;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::money::Currency;
use sluice_contract::sql::Conn;
use sluice_contract::string_enum;
use std::collections::BTreeMap;

/// Entries added up by one statement.
const MAX_ENTRIES_PER_SUM: usize = 200_000;
/// With split books no moment shows both books of an account that moves all the time: after
/// so many tries its day is stored as its entries say, and counted as unchecked.
const TRIES_BEFORE_UNCHECKED: u32 = 5;

/// An account in one currency, when its balance last moved, and how often its day was tried
/// to be closed.
pub(super) struct AccountClosing {
    pub account_id: String,
    pub currency: Currency,
    pub updated_us: i64,
    pub tries: u32,
}

string_enum! {
    /// Result of closing an account's day.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum ClosingResult("a result of closing") {
        /// Nothing moved since the last stored day: that one still holds.
        Unmoved = "unmoved",
        Closed = "closed",
        /// Stored as its entries say: its balance never stood still.
        Unchecked = "unchecked",
        /// With split books, a booking is at one of them and not at the other.
        NotYet = "not_yet",
        /// Entries and balance disagree: nothing is stored. The checks of data at rest
        /// tell what is wrong.
        Mismatch = "mismatch",
        /// The database's fault, or a row's.
        Failed = "failed",
    }
}

impl ClosingResult {
    /// Tells whether the day needs no other try.
    pub(super) fn is_final(self) -> bool {
        match self {
            ClosingResult::Unmoved | ClosingResult::Closed | ClosingResult::Unchecked => true,
            ClosingResult::NotYet | ClosingResult::Mismatch | ClosingResult::Failed => false,
        }
    }
}

/// Amounts of an account's books.
type BookSums = BTreeMap<String, Decimal>;

/// Each of the account's books as its balance has it.
fn books(balance: &Balance) -> BTreeMap<&'static str, Decimal> {
    BTreeMap::from([
        (AVAILABLE_BOOK, balance.available),
        (RESERVED_BOOK, balance.reserved),
        (INTERMEDIATE_BOOK, balance.intermediate),
        (INTERMEDIATE_RESERVED_BOOK, balance.intermediate_reserved),
    ])
}

fn add(to: &mut BookSums, sums: BookSums) {
    for (book, sum) in sums {
        *to.entry(book).or_default() += sum;
    }
}

impl DayClosing {
    /// Adds up, compares and stores one account's books as of `until_us`.
    pub(super) async fn close(
        &self,
        account: &AccountClosing,
        until_us: i64,
    ) -> anyhow::Result<ClosingResult> {
        let mut conn = self.ledger.get_conn().await?;
        let (id, currency) = (account.account_id.as_str(), account.currency);
        let last = daily_repo::last_before(&mut conn, &self.schemas, id, currency, until_us)
            .await?
            .unwrap_or_else(DailyBalance::nothing);
        if last.until_us == until_us || account.updated_us < last.until_us {
            return Ok(ClosingResult::Unmoved);
        }
        let (stored, from) = (last.held.clone(), last.until_us);
        let mut held = last.held;
        self.add_up(&mut conn, account, &mut held, from, until_us)
            .await?;
        let compared = if self.together {
            self.compare(&mut conn, account, &held, until_us).await?
        } else {
            self.compare_split_books(&mut conn, account, &held, until_us)
                .await?
        };
        match compared {
            ClosingResult::Mismatch => tracing::error!(
                account = id,
                currency = currency.code(),
                "entries and balance disagree: the day is not closed"
            ),
            ClosingResult::Closed | ClosingResult::Unchecked if held != stored => {
                let day = DailyBalance { until_us, held };
                daily_repo::store(&mut conn, &self.schemas, id, currency, &day).await?;
            }
            ClosingResult::Closed => return Ok(ClosingResult::Unmoved),
            ClosingResult::Unmoved
            | ClosingResult::Unchecked
            | ClosingResult::NotYet
            | ClosingResult::Failed => {}
        }
        Ok(compared)
    }

    /// Adds up entries from one moment to before another, a bounded number of them a
    /// statement: an account may have a long history, or a busy day.
    async fn add_up(
        &self,
        conn: &mut impl Queryable,
        account: &AccountClosing,
        held: &mut BookSums,
        mut from_us: i64,
        until_us: i64,
    ) -> anyhow::Result<()> {
        let (id, currency, schemas) = (&account.account_id, account.currency, &self.schemas);
        while from_us < until_us {
            let max = MAX_ENTRIES_PER_SUM;
            let next = daily_repo::time_of_nth(conn, schemas, id, currency, from_us, max).await?;
            // The last entries may be of one moment.
            let end = next.map_or(until_us, |at| until_us.min(at.max(from_us + 1)));
            let sums = daily_repo::moved_between(conn, schemas, id, currency, from_us, end).await?;
            add(held, sums);
            from_us = end;
        }
        Ok(())
    }

    /// On one server a snapshot shows balance and entries of one moment: day and rest of
    /// the entries are together what the balance says.
    async fn compare(
        &self,
        conn: &mut Conn,
        account: &AccountClosing,
        held: &BookSums,
        until_us: i64,
    ) -> anyhow::Result<ClosingResult> {
        let (mut now, settled_us) = (held.clone(), until_us.max(now_us() - GRACE_US));
        // What is old enough doesn't change any more: the snapshot is held for the rest.
        self.add_up(conn, account, &mut now, until_us, settled_us)
            .await?;
        let mut snapshot = Transaction::begin_snapshot(conn).await?;
        let tx = snapshot.conn();
        let balances = balance::repo::of_account(tx, &self.schemas, &account.account_id).await?;
        self.add_up(tx, account, &mut now, settled_us, i64::MAX)
            .await?;
        snapshot.roll_back().await?;
        Ok(match agrees(&balances, account.currency, &now) {
            true => ClosingResult::Closed,
            false => ClosingResult::Mismatch,
        })
    }

    /// On servers of their own no snapshot shows both. A balance that stood still while the
    /// entries were added up, with no booking open, is what they say: a booking's entries
    /// come after its balance, and its intent is open until then.
    async fn compare_split_books(
        &self,
        conn: &mut Conn,
        account: &AccountClosing,
        held: &BookSums,
        until_us: i64,
    ) -> anyhow::Result<ClosingResult> {
        let id = &account.account_id;
        let mut books = self.balance.get_conn().await?;
        let before = balance::repo::of_account(&mut books, &self.schemas, id).await?;
        let mut orders = self.orders.get_conn().await?;
        let is_open = intents::repo::any_open(&mut orders, id).await?;
        drop(orders);
        let mut now = held.clone();
        self.add_up(conn, account, &mut now, until_us, i64::MAX)
            .await?;
        let after = balance::repo::of_account(&mut books, &self.schemas, id).await?;
        Ok(if agrees(&after, account.currency, &now) {
            ClosingResult::Closed
        } else if !is_open && before == after {
            ClosingResult::Mismatch
        } else if before != after && account.tries >= TRIES_BEFORE_UNCHECKED {
            ClosingResult::Unchecked
        } else {
            ClosingResult::NotYet
        })
    }
}

fn agrees(balances: &[Balance], currency: Currency, held: &BookSums) -> bool {
    let balance = balances.iter().find(|b| b.currency == currency);
    balance.is_some_and(|balance| {
        books(balance)
            .into_iter()
            .all(|(book, amount)| held.get(book).copied().unwrap_or_default() == amount)
    })
}
