//! One write transaction of the core: everything it changes, the events it
//! tells, and the signature over all of it. What isn't in a journal isn't
//! written; that is what makes a manual change visible.

use crate::balance::{self, Balance, CapturedPayment};
use crate::cases::{self, CaseClosing, OrderCase};
use crate::intents::{BookingIntent, BookingResultRow, repo as saga};
use crate::ledger::{self, Posting};
use crate::orders::history::{self, OrderTransition};
use crate::orders::repo::{Attempt, IdempotencyRow};
use crate::orders::{Order, repo as orders};
use crate::routing;
use crate::routing::totals::LimitTotal;
use anyhow::Context;
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::OrderEvent;
use sluice_contract::ids::new_tx_id;
use sluice_contract::money::column_units;
use sluice_contract::provenance::{OrderTextFields, TransactionEffects};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;

/// Collects a transaction in memory; `commit_sql` turns it into one text.
#[derive(Debug, Default)]
pub struct UnitOfWork<'a> {
    pub keys: Vec<IdempotencyRow>,
    pub new_orders: Vec<&'a Order>,
    pub moved_orders: Vec<&'a Order>,
    pub new_attempts: Vec<Attempt<'a>>,
    pub attempts: Vec<Attempt<'a>>,
    pub moves: Vec<OrderTransition>,
    pub balances: Vec<&'a Balance>,
    pub captures: Vec<&'a CapturedPayment>,
    pub postings: Vec<Posting>,
    /// Cumulative totals that the moves take from or give back to.
    pub totals: Vec<LimitTotal>,
    pub cases: Vec<OrderCase>,
    pub closings: Vec<CaseClosing>,
    pub events: Vec<OrderEvent>,
    /// Bookings to be made elsewhere, while balance and ledger are apart.
    pub intents: Vec<BookingIntent>,
    /// Intents that are done with.
    pub closed: Vec<&'a BookingIntent>,
    /// Keys of requests that were refused after all: client, key, order.
    pub freed_keys: Vec<(&'a str, &'a str, &'a str)>,
    /// Outcomes of bookings at the balance: new ones, and ones that take a refused
    /// one's place.
    pub steps: Vec<BookingResultRow>,
    pub replaced_steps: Vec<BookingResultRow>,
    /// On the balance's or ledger's own server: the outbox row only passes through
    /// the binlog.
    pub drop_outbox_row: bool,
}

/// An amount as provenance signs it, in units of 10⁻⁴.
fn units(amount: Decimal) -> anyhow::Result<i128> {
    column_units(amount).with_context(|| format!("{amount} has more decimals than the column"))
}

impl UnitOfWork<'_> {
    pub fn is_empty(&self) -> bool {
        self.new_orders.is_empty()
            && self.moved_orders.is_empty()
            && self.balances.is_empty()
            && self.postings.is_empty()
            && self.captures.is_empty()
            && self.cases.is_empty()
            && self.events.is_empty()
    }

    fn effects(&self) -> anyhow::Result<TransactionEffects> {
        let mut all = TransactionEffects::new();
        for o in self.new_orders.iter().chain(&self.moved_orders) {
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
        }
        for a in self.new_attempts.iter().chain(&self.attempts) {
            all.attempt(
                a.order.account_id.as_bytes(),
                a.order.order_id.as_bytes(),
                a.order.attempts.into(),
                a.channel.as_bytes(),
                a.state.as_bytes(),
            );
        }
        for b in &self.balances {
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
        }
        for c in &self.captures {
            let amounts = [units(c.captured)?, units(c.refunded)?, units(c.settled)?];
            let (payment, currency) = (c.payment_no.as_bytes(), c.currency.code().as_bytes());
            all.capture(
                c.account_id.as_bytes(),
                payment,
                currency,
                &amounts,
                c.version.into(),
            );
        }
        for p in &self.postings {
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
        }
        Ok(all)
    }

    /// The account under whose key the outbox row lies: the first of the batch,
    /// since a batch never leaves its shard.
    fn lead_account(&self) -> &str {
        let order = self
            .new_orders
            .first()
            .or(self.moved_orders.first())
            .map(|o| o.account_id.as_str());
        let booked = self.balances.first().map(|b| b.account_id.as_str());
        let posted = self.postings.first().map(|p| p.account_id.as_str());
        let intended = self
            .intents
            .first()
            .or(self.closed.first().copied())
            .map(|i| i.posting.account_id.as_str());
        let stepped = self
            .steps
            .first()
            .or(self.replaced_steps.first())
            .map(|s| s.account_id.as_str());
        order
            .or(booked)
            .or(posted)
            .or(intended)
            .or(stepped)
            .unwrap_or("-")
    }

    /// All statements of the transaction, COMMIT last. The caller has begun it
    /// and holds the locks.
    pub fn commit_sql(
        &self,
        schemas: &Schemas,
        key: &Secret,
        now_us: i64,
    ) -> anyhow::Result<String> {
        // About 700 bytes an order, measured on accept transactions.
        let mut sql = String::with_capacity(
            1_024 + 1_024 * (self.new_orders.len() + self.moved_orders.len()),
        );
        if !self.keys.is_empty() {
            orders::push_keys(&mut sql, &self.keys, now_us);
        }
        if !self.new_orders.is_empty() {
            orders::push_inserts(&mut sql, &self.new_orders);
        }
        if !self.moved_orders.is_empty() {
            orders::push_updates(&mut sql, &self.moved_orders);
        }
        if !self.new_attempts.is_empty() {
            orders::push_new_attempts(&mut sql, &self.new_attempts);
        }
        if !self.attempts.is_empty() {
            orders::push_attempt_updates(&mut sql, &self.attempts);
        }
        if !self.moves.is_empty() {
            history::repo::push_transitions(&mut sql, &self.moves, now_us);
        }
        if !self.cases.is_empty() {
            cases::repo::push_cases(&mut sql, &self.cases, now_us);
        }
        if !self.closings.is_empty() {
            cases::repo::push_closings(&mut sql, &self.closings, now_us);
        }
        if !self.balances.is_empty() {
            balance::repo::push_updates(&mut sql, schemas, &self.balances, now_us);
        }
        if !self.captures.is_empty() {
            balance::repo::push_captures(&mut sql, schemas, &self.captures, now_us);
        }
        if !self.postings.is_empty() {
            ledger::repo::push_inserts(&mut sql, schemas, &self.postings, now_us);
        }
        self.push_saga(&mut sql, key, now_us)?;
        if !self.totals.is_empty() {
            routing::repo::push_totals(&mut sql, &self.totals, now_us);
        }
        let tx_id = new_tx_id();
        let events = serde_json::to_string(&self.events)?;
        let signature = self.effects()?.sign(key, &tx_id, &events);
        orders::push_outbox(
            &mut sql,
            self.lead_account(),
            &tx_id,
            &signature,
            &events,
            now_us,
        );
        if self.drop_outbox_row {
            orders::push_outbox_delete(&mut sql, self.lead_account(), &tx_id);
        }
        sql.push_str("COMMIT");
        Ok(sql)
    }

    fn push_saga(&self, sql: &mut String, key: &Secret, now_us: i64) -> anyhow::Result<()> {
        if !self.intents.is_empty() {
            saga::push_intents(sql, &self.intents, key)?;
        }
        if !self.closed.is_empty() {
            sql.push_str(&saga::delete_sql(&self.closed));
            sql.push(';');
        }
        if !self.freed_keys.is_empty() {
            orders::push_key_deletes(sql, &self.freed_keys);
        }
        saga::push_steps(sql, &self.steps, &self.replaced_steps, now_us);
        Ok(())
    }
}

/// Opens a case that no order's move comes with, in a transaction of its own,
/// signed like every other. It is one insert: what fails is undone by the server.
pub async fn open_case(
    pool: &Pool,
    schemas: &Schemas,
    key: &Secret,
    case: OrderCase,
) -> anyhow::Result<()> {
    let unit_of_work = UnitOfWork {
        cases: vec![case],
        ..UnitOfWork::default()
    };
    let mut conn = pool.get_conn().await?;
    conn.query_drop("START TRANSACTION").await?;
    conn.query_drop(unit_of_work.commit_sql(schemas, key, now_us())?)
        .await?;
    Ok(())
}
