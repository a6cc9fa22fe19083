//! A unit of work is one write transaction of the core: everything it changes, the events
//! that tell of it, and the signature over all of it. The core writes nothing in any
//! other way; that is what makes a manual change visible.
//!
//! | phase | done by | round trips |
//! |---|---|---|
//! | begin, lock | `transaction` and the writer | 1 and its locks |
//! | decide in memory | the writer | 0 |
//! | write, sign, commit | `UnitOfWork::commit` | 1 |

mod case;
mod signature;
mod statements;

pub use case::open_case;

use crate::balance::{Balance, CapturedPayment};
use crate::cases::{CaseClosing, OrderCase};
use crate::intents::{BookingIntent, BookingResultRow};
use crate::ledger::Posting;
use crate::orders::Order;
use crate::orders::history::OrderTransition;
use crate::orders::repo::{Attempt, FreedKey, IdempotencyRow};
use crate::routing::limits::LimitTotal;
use crate::transaction::Transaction;
use sluice_contract::event::OrderEvent;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;

/// Changes of one transaction, collected in memory; `commit` writes them all at once.
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
    /// Bookings to be made elsewhere, while balance and ledger are on servers of their own.
    pub intents: Vec<BookingIntent>,
    /// Intents that are done with.
    pub closed: Vec<&'a BookingIntent>,
    /// Keys of requests that were refused after all.
    pub freed_keys: Vec<FreedKey<'a>>,
    /// Outcomes of bookings at the balance: new ones, and ones that take a refused
    /// one's place.
    pub steps: Vec<BookingResultRow>,
    pub replaced_steps: Vec<BookingResultRow>,
    /// On the balance's or ledger's own server: the outbox row only passes through
    /// the binlog.
    pub drop_outbox_row: bool,
}

impl UnitOfWork<'_> {
    /// Writes everything, signs it and commits, in one round trip. `transaction` holds
    /// the locks.
    ///
    /// # Errors
    /// The server's; whether the commit took place is unknown if the connection broke.
    pub async fn commit(
        &self,
        transaction: Transaction<'_>,
        schemas: &Schemas,
        key: &TransactionSigner,
        now_us: i64,
    ) -> anyhow::Result<()> {
        transaction.commit(self.writes(schemas, key, now_us)?).await
    }

    /// Names the account under whose key the outbox row lies: the first of the batch,
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
}
