//! Signature of a unit of work: the words and amounts of every row that it changes. The
//! sidecar reads the same from the binlog; a change that isn't signed was made by hand.

use crate::balance::{Balance, CapturedPayment};
use crate::ledger::Posting;
use crate::orders::Order;
use crate::orders::repo::Attempt;
use crate::unit_of_work::UnitOfWork;
use anyhow::Context;
use rust_decimal::Decimal;
use sluice_contract::money::column_units;
use sluice_contract::provenance::{
    SignedAttempt, SignedBalance, SignedCapture, SignedEntry, SignedOrder, TransactionEffects,
};

impl UnitOfWork<'_> {
    /// Collects what the signature covers.
    ///
    /// # Errors
    /// An amount with more decimals than its column.
    pub(super) fn effects(&self) -> anyhow::Result<TransactionEffects> {
        let mut all = TransactionEffects::new();
        for order in self.new_orders.iter().chain(&self.moved_orders) {
            add_order(&mut all, order)?;
        }
        for attempt in self.new_attempts.iter().chain(&self.attempts) {
            add_attempt(&mut all, attempt);
        }
        for balance in &self.balances {
            add_balance(&mut all, balance)?;
        }
        for capture in &self.captures {
            add_capture(&mut all, capture)?;
        }
        for posting in &self.postings {
            add_entries(&mut all, posting)?;
        }
        Ok(all)
    }
}

/// Counts an amount as provenance signs it, in units of 10⁻⁴.
fn units(amount: Decimal) -> anyhow::Result<i128> {
    column_units(amount).with_context(|| format!("{amount} has more decimals than the column"))
}

fn add_order(all: &mut TransactionEffects, o: &Order) -> anyhow::Result<()> {
    all.order(&SignedOrder {
        account_id: o.account_id.as_bytes(),
        order_id: o.order_id.as_bytes(),
        kind: o.kind.as_str().as_bytes(),
        state: o.state.as_str().as_bytes(),
        to_account: o.to_account.as_bytes(),
        amount: units(o.amount)?,
        currency: o.currency.code().as_bytes(),
        channel: o.channel.as_deref().unwrap_or_default().as_bytes(),
        serial_no: o.serial_no.as_bytes(),
        trade_time: o.trade_time.as_deref().unwrap_or_default().as_bytes(),
        version: o.version.into(),
    });
    Ok(())
}

fn add_attempt(all: &mut TransactionEffects, a: &Attempt<'_>) {
    all.attempt(&SignedAttempt {
        account_id: a.order.account_id.as_bytes(),
        order_id: a.order.order_id.as_bytes(),
        attempt_no: a.order.attempts.into(),
        channel: a.channel.as_bytes(),
        state: a.state.as_bytes(),
    });
}

fn add_balance(all: &mut TransactionEffects, b: &Balance) -> anyhow::Result<()> {
    all.balance(&SignedBalance {
        account_id: b.account_id.as_bytes(),
        currency: b.currency.code().as_bytes(),
        balance: units(b.total())?,
        available: units(b.available)?,
        reserved: units(b.reserved)?,
        intermediate: units(b.intermediate)?,
        intermediate_reserved: units(b.intermediate_reserved)?,
        version: b.version.into(),
    });
    Ok(())
}

fn add_capture(all: &mut TransactionEffects, c: &CapturedPayment) -> anyhow::Result<()> {
    all.capture(&SignedCapture {
        account_id: c.account_id.as_bytes(),
        payment_no: c.payment_no.as_bytes(),
        currency: c.currency.code().as_bytes(),
        captured: units(c.captured)?,
        refunded: units(c.refunded)?,
        settled: units(c.settled)?,
        version: c.version.into(),
        payer: c.payer.as_deref().unwrap_or_default().as_bytes(),
    });
    Ok(())
}

fn add_entries(all: &mut TransactionEffects, p: &Posting) -> anyhow::Result<()> {
    for (line, (side, book)) in p.lines().into_iter().enumerate() {
        all.entry(&SignedEntry {
            account_id: p.account_id.as_bytes(),
            posting_id: p.posting_id.as_bytes(),
            line: line as i128,
            book: book.as_bytes(),
            side: side.as_str().as_bytes(),
            amount: units(p.amount)?,
            currency: p.currency.code().as_bytes(),
        });
    }
    Ok(())
}
