//! Bookings while balance and ledger live on servers of their own: no transaction
//! spans them, so each booking is an intent, written with the order, and then driven:
//!
//! 1. orders: the transaction that decides also writes the intent (`UnitOfWork::intents`);
//! 2. balance: the money moves, and a step row says what became of it (`balance_step`);
//! 3. ledger: the entries of what was booked (`ledger_step`);
//! 4. orders: the order learns it, and the intent is deleted (`order_step`).
//!
//! Steps 2 to 4 may run any number of times, from any instance, at once: the intent's
//! id is the posting's (`<order>-reserve`, `<order>-end`, …), derived from the order,
//! which is unique per client and `transactionId` or idempotent key; at the balance it
//! is the step's key, at the ledger the entries' own. So a crash between any two steps
//! is mended by driving again, which `recover` does.

mod balance_step;
mod driver;
mod earlier_booking;
mod ledger_step;
mod order_step;

mod follower;
mod recover;
mod refusals;

pub use driver::DrivenIntent;
pub use follower::SagaFollower;
pub use recover::SagaRecovery;

use crate::batch::LockedAccounts;
use crate::orders::OrderSeals;
use crate::ready_queue::ReadyQueue;
use crate::saga::refusals::RecentRefusals;
use rust_decimal::Decimal;
use sluice_contract::keys::SigningKeys;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use std::sync::atomic::{AtomicBool, Ordering};

/// A driver of intents. One per process, shared by whoever books.
pub struct BookingSaga {
    pub(crate) orders: Pool,
    balance: Pool,
    ledger: Pool,
    schemas: Schemas,
    /// Check orders, intents and results; their key signs what is written.
    seals: OrderSeals,
    ready: ReadyQueue,
    /// The balance or ledger service did not answer when last asked.
    away: AtomicBool,
    /// Accounts that were refused lately: looked at before anything is written for them.
    pub(crate) refusals: RecentRefusals,
    /// Accounts that were found locked at the balance service.
    locked: LockedAccounts,
}

impl BookingSaga {
    /// Makes a driver. Each pool's connections are at home in their service's schema.
    pub fn new(
        orders: Pool,
        balance: Pool,
        ledger: Pool,
        schemas: &Schemas,
        seals: &OrderSeals,
        ready: &ReadyQueue,
    ) -> Self {
        BookingSaga {
            orders,
            balance,
            ledger,
            schemas: schemas.clone(),
            seals: seals.clone(),
            ready: ready.clone(),
            away: AtomicBool::new(false),
            refusals: RecentRefusals::default(),
            locked: LockedAccounts::default(),
        }
    }

    /// Connections to the balance service.
    pub(crate) fn balance(&self) -> &Pool {
        &self.balance
    }

    /// The key that signs what is written.
    pub(crate) fn key(&self) -> &TransactionSigner {
        self.seals.signer()
    }

    /// Keys that may have signed an intent.
    pub(crate) fn keys(&self) -> &SigningKeys {
        self.seals.keys()
    }

    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Tells whether nothing new should be promised: it could not be booked now.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }
}

/// Compares two amounts by value, however many decimals a column holds.
fn same_amount(one: Decimal, other: Decimal) -> bool {
    one.normalize() == other.normalize()
}
