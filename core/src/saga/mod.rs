//! Bookings while balance and ledger live on servers of their own: no transaction
//! spans them, so each booking is an intent, written with the order, and then driven:
//!
//! 1. orders: the transaction that decides also writes the intent (`Journal::intents`);
//! 2. balance: the money moves, and a step row says what became of it (`book`);
//! 3. ledger: the entries of what was booked (`post`);
//! 4. orders: the order learns it, and the intent is deleted (`close`).
//!
//! Steps 2 to 4 may run any number of times, from any instance, at once: the intent's
//! id is the posting's (`<order>-reserve`, `<order>-end`, …), derived from the order,
//! which is unique per client and `transactionId` or idempotent key; at the balance it
//! is the step's key, at the ledger the entries' own. So a crash between any two steps
//! is mended by driving again, which `recover` does.

mod book;
mod close;
mod drive;
mod post;
mod recover;
pub mod repo;

pub use drive::Follower;
pub use recover::Recovery;

use crate::balance::BookError;
use crate::dispatch::ReadyQueue;
use crate::ledger::{Posting, PostingKind};
use mysql_async::Pool;
use rust_decimal::Decimal;
use sluice_contract::money::column_units;
use sluice_contract::order::Kind;
use sluice_contract::provenance::{Effects, Field};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::sync::atomic::{AtomicBool, Ordering};

/// A booking that is decided and not yet known to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its id is the intent's.
    pub posting: Posting,
    /// The order's id; for money that comes in, the booking's own.
    pub order_id: String,
    pub kind: Kind,
    /// The captured payment that is made, taken from, or given back to.
    pub payment_no: Option<String>,
    /// Whose key a refusal frees; empty once the order is accepted.
    pub client: String,
    pub key: String,
    pub created_us: i64,
}

impl Intent {
    /// Whether the balance may refuse it: nothing was promised before.
    pub fn is_asking(&self) -> bool {
        matches!(
            self.posting.kind,
            PostingKind::Reserve | PostingKind::Deposit | PostingKind::Capture
        )
    }

    /// Order within one order's bookings: a later one never overtakes an earlier one.
    fn rank(&self) -> u8 {
        match self.posting.kind {
            PostingKind::Reserve | PostingKind::Deposit | PostingKind::Capture => 0,
            PostingKind::Finalize | PostingKind::Release => 1,
            PostingKind::Return => 2,
        }
    }

    fn id(&self) -> (&str, &str) {
        (&self.posting.account_id, &self.posting.posting_id)
    }

    /// Hex signature over all that is booked: a row that somebody else wrote into
    /// the table is never booked.
    ///
    /// # Errors
    /// An amount with more decimals than its column.
    pub fn proof(&self, key: &Secret) -> anyhow::Result<String> {
        let p = &self.posting;
        let text = |t: &'static str| Field::Text(t.as_bytes());
        let units = column_units(p.amount)
            .ok_or_else(|| anyhow::anyhow!("{} does not fit its column", p.amount))?;
        let mut effects = Effects::new();
        effects.add(
            "s",
            &[
                Field::Text(p.account_id.as_bytes()),
                Field::Text(self.order_id.as_bytes()),
                text(p.kind.as_str()),
                text(self.kind.as_str()),
                Field::Text(p.debit_book.as_bytes()),
                Field::Text(p.credit_book.as_bytes()),
                Field::Int(units),
                text(p.currency.code()),
                Field::Text(p.reference.as_bytes()),
                Field::Text(self.payment_no.as_deref().unwrap_or_default().as_bytes()),
                Field::Text(self.client.as_bytes()),
                Field::Text(self.key.as_bytes()),
            ],
        );
        Ok(effects.sign(key, &p.posting_id, ""))
    }
}

/// What became of a booking at the balance service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Booked,
    Refused(BookError),
}

impl Done {
    /// As a step row holds it.
    pub fn as_str(self) -> &'static str {
        match self {
            Done::Booked => "booked",
            Done::Refused(error) => error.as_str(),
        }
    }

    pub fn from_stored(text: &str) -> anyhow::Result<Self> {
        Ok(if text == "booked" {
            Done::Booked
        } else {
            Done::Refused(text.parse()?)
        })
    }
}

/// A step row: one booking's outcome, kept with the balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub account_id: String,
    pub posting_id: String,
    pub order_id: String,
    pub done: Done,
}

/// Drives intents. One per process, shared by whoever books.
pub struct Saga {
    pub(crate) orders: Pool,
    balance: Pool,
    ledger: Pool,
    schemas: Schemas,
    pub(crate) key: Secret,
    ready: ReadyQueue,
    /// The balance or ledger service did not answer when last asked.
    away: AtomicBool,
}

impl Saga {
    /// Each pool's connections are at home in their service's schema.
    pub fn new(
        orders: Pool,
        balance: Pool,
        ledger: Pool,
        schemas: &Schemas,
        key: &Secret,
        ready: &ReadyQueue,
    ) -> Self {
        Saga {
            orders,
            balance,
            ledger,
            schemas: schemas.clone(),
            key: key.clone(),
            ready: ready.clone(),
            away: AtomicBool::new(false),
        }
    }

    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Nothing new should be promised: it could not be booked now.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }
}

/// An amount as it is stored, for comparing.
fn same_amount(one: Decimal, other: Decimal) -> bool {
    one.normalize() == other.normalize()
}
