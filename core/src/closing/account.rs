//! Closing of one account's day.

use crate::balance::{self, Balance};
use crate::closing::{DayClosing, US_PER_DAY};
use crate::ledger::daily_repo::{self, DailyBalance};
use crate::ledger::{AVAILABLE_BOOK, INTERMEDIATE_BOOK, INTERMEDIATE_RESERVED_BOOK, RESERVED_BOOK};
use crate::transaction::Transaction;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::sql::Conn;
use sluice_contract::string_enum;
use std::collections::BTreeMap;

/// Entries added up by one statement while history is caught up with; a day is never split.
const MAX_ENTRIES_PER_SUM: usize = 200_000;

/// An account in one currency, and when its balance last moved.
pub(super) struct AccountClosing {
    pub account_id: String,
    pub currency: Currency,
    pub updated_us: i64,
}

string_enum! {
    /// Result of closing an account's day.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum ClosingResult("a result of closing") {
        /// Nothing moved since the last stored day: that one still holds.
        Unmoved = "unmoved",
        Closed = "closed",
        /// Entries and balance disagree: nothing is stored. The checks of data at rest
        /// tell what is wrong.
        Mismatch = "mismatch",
    }
}

/// Each of the account's books as its balance has it.
fn books(balance: &Balance) -> BTreeMap<&'static str, Decimal> {
    BTreeMap::from([
        (AVAILABLE_BOOK, balance.available),
        (RESERVED_BOOK, balance.reserved),
        (INTERMEDIATE_BOOK, balance.intermediate),
        (INTERMEDIATE_RESERVED_BOOK, balance.intermediate_reserved),
    ])
}

fn add(to: &mut BTreeMap<String, Decimal>, sums: BTreeMap<String, Decimal>) {
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
        let stored = last.held.clone();
        let last = self.catch_up(&mut conn, account, last, until_us).await?;
        let day = if self.together {
            self.add_up_with_balance(&mut conn, account, last, until_us)
                .await?
        } else {
            self.add_up_split_books(&mut conn, account, last, until_us)
                .await?
        };
        let Some(day) = day else {
            tracing::error!(
                account = id,
                currency = currency.code(),
                "entries and balance disagree: the day is not closed"
            );
            return Ok(ClosingResult::Mismatch);
        };
        if day.held == stored {
            return Ok(ClosingResult::Unmoved);
        }
        daily_repo::store(&mut conn, &self.schemas, id, currency, &day).await?;
        Ok(ClosingResult::Closed)
    }

    /// Adds up what is older than the last days, a bounded number of entries a statement: the
    /// first closing of an old account passes over all of its history.
    async fn catch_up(
        &self,
        conn: &mut Conn,
        account: &AccountClosing,
        mut last: DailyBalance,
        until_us: i64,
    ) -> anyhow::Result<DailyBalance> {
        let (id, currency, schemas) = (&account.account_id, account.currency, &self.schemas);
        loop {
            let (from, max) = (last.until_us, MAX_ENTRIES_PER_SUM);
            let some = daily_repo::time_of_nth(conn, schemas, id, currency, from, max).await?;
            let Some(at_us) = some else { return Ok(last) };
            let end = (at_us - at_us.rem_euclid(US_PER_DAY))
                .max(from - from.rem_euclid(US_PER_DAY) + US_PER_DAY);
            if end >= until_us {
                return Ok(last);
            }
            let sums = daily_repo::moved_between(conn, schemas, id, currency, from, end).await?;
            add(&mut last.held, sums);
            last.until_us = end;
        }
    }

    /// On one server a snapshot shows balance and entries of one moment: day and rest of
    /// the entries are together what the balance says.
    async fn add_up_with_balance(
        &self,
        conn: &mut Conn,
        account: &AccountClosing,
        last: DailyBalance,
        until_us: i64,
    ) -> anyhow::Result<Option<DailyBalance>> {
        let mut snapshot = Transaction::begin_snapshot(conn).await?;
        let tx = snapshot.conn();
        let (id, currency, schemas) = (&account.account_id, account.currency, &self.schemas);
        let balances = balance::repo::of_account(tx, schemas, id).await?;
        let (from, end) = (last.until_us, i64::MAX);
        let day = daily_repo::moved_between(tx, schemas, id, currency, from, until_us).await?;
        let rest = daily_repo::moved_between(tx, schemas, id, currency, until_us, end).await?;
        snapshot.roll_back().await?;
        let mut held = last.held;
        add(&mut held, day);
        let mut now = held.clone();
        add(&mut now, rest);
        Ok(agrees(&balances, currency, &now).then_some(DailyBalance { until_us, held }))
    }

    /// On servers of their own no snapshot shows both; a balance that hasn't moved since
    /// the end of the day must be what the entries say.
    async fn add_up_split_books(
        &self,
        conn: &mut Conn,
        account: &AccountClosing,
        last: DailyBalance,
        until_us: i64,
    ) -> anyhow::Result<Option<DailyBalance>> {
        let (id, currency, schemas) = (&account.account_id, account.currency, &self.schemas);
        let from = last.until_us;
        let day = daily_repo::moved_between(conn, schemas, id, currency, from, until_us).await?;
        let mut held = last.held;
        add(&mut held, day);
        let mut books = self.balance.get_conn().await?;
        let balances = balance::repo::of_account(&mut books, schemas, id).await?;
        let is_still = account.updated_us < until_us;
        let holds = !is_still || agrees(&balances, currency, &held);
        Ok(holds.then_some(DailyBalance { until_us, held }))
    }
}

fn agrees(balances: &[Balance], currency: Currency, held: &BTreeMap<String, Decimal>) -> bool {
    let balance = balances.iter().find(|b| b.currency == currency);
    balance.is_some_and(|balance| {
        books(balance)
            .into_iter()
            .all(|(book, amount)| held.get(book).copied().unwrap_or_default() == amount)
    })
}
