//! Outflow orders: what one is (`order`), how it moves (`state`, drawn by `diagram`), and
//! its rows (`columns`, `repo`).

mod order;
mod sample;

pub mod names;

mod effect;
mod input;
pub mod state;

mod attempt_repo;
mod columns;
mod key_repo;
mod outbox_repo;
pub mod repo;
mod seal;
mod signed_since;
mod stored;
pub mod unsealed_repo;

pub mod diagram;
pub mod events;
pub mod history;

pub use crate::orders::signed_since::SignedSince;
pub use order::{Order, SendRefusal};
pub use sample::sample;
pub use seal::{AlteredOrder, OrderSeals, SealBreach, check_attempts};

/// A new order that nobody dispatched is looked for after this long.
pub const FIRST_POLL_DELAY_US: i64 = 2_000_000;

/// Address of an order: ids alone don't tell a sharded engine where its row is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderRef {
    pub order_id: String,
    pub account_id: String,
}

impl OrderRef {
    pub fn new(account_id: &str, order_id: &str) -> Self {
        OrderRef {
            order_id: order_id.to_owned(),
            account_id: account_id.to_owned(),
        }
    }
}
