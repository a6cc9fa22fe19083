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
use sluice_contract::provenance::{OrderTextFields, TransactionEffects};

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
    let words = OrderTextFields {
        kind: o.kind.as_str().as_bytes(),
        state: o.state.as_str().as_bytes(),
        to: o.to_account.as_bytes(),
        currency: o.currency.code().as_bytes(),
        channel: o.channel.as_deref().unwrap_or_default().as_bytes(),
        serial_no: o.serial_no.as_bytes(),
        trade_time: o.trade_time.as_deref().unwrap_or_default().as_bytes(),
    };
    all.order(
        o.account_id.as_bytes(),
        o.order_id.as_bytes(),
        &words,
        units(o.amount)?,
        o.version.into(),
    );
    Ok(())
}

fn add_attempt(all: &mut TransactionEffects, a: &Attempt<'_>) {
    all.attempt(
        a.order.account_id.as_bytes(),
        a.order.order_id.as_bytes(),
        a.order.attempts.into(),
        a.channel.as_bytes(),
        a.state.as_bytes(),
    );
}

fn add_balance(all: &mut TransactionEffects, b: &Balance) -> anyhow::Result<()> {
    let amounts = [
        units(b.total())?,
        units(b.available)?,
        units(b.reserved)?,
        units(b.intermediate)?,
        units(b.intermediate_reserved)?,
    ];
    all.balance(
        b.account_id.as_bytes(),
        b.currency.code().as_bytes(),
        &amounts,
        b.version.into(),
    );
    Ok(())
}

fn add_capture(all: &mut TransactionEffects, c: &CapturedPayment) -> anyhow::Result<()> {
    let amounts = [units(c.captured)?, units(c.refunded)?, units(c.settled)?];
    let (payment, currency) = (c.payment_no.as_bytes(), c.currency.code().as_bytes());
    all.capture(
        c.account_id.as_bytes(),
        payment,
        currency,
        &amounts,
        c.version.into(),
        c.payer.as_deref().unwrap_or_default().as_bytes(),
    );
    Ok(())
}

fn add_entries(all: &mut TransactionEffects, p: &Posting) -> anyhow::Result<()> {
    for (line, (side, book)) in p.lines().into_iter().enumerate() {
        all.entry(
            p.account_id.as_bytes(),
            p.posting_id.as_bytes(),
            line as i128,
            book.as_bytes(),
            side.as_str().as_bytes(),
            units(p.amount)?,
            p.currency.code().as_bytes(),
        );
    }
    Ok(())
}
