//! Circuit breakers on money: point × scope (seed 003: refund, settlement and
//! cash-out are where a fault upstream can still be caught). The scopes' meaning is
//! decided here alone; core, sidecar and backtest ask:
//!
//! | question | answered by |
//! |---|---|
//! | does this breaker stop this order | [`BreakerKey::covers`] |
//! | which breakers stop this order | [`covering_keys`] |
//! | which breaker follows from a finding | [`key_for`] |
//! | which breaker is the next wider one | [`widen`] |
//! | may a rule declare this scope | [`BreakerScope::is_declarable`] |
//! | does a rule's budget count it | [`BreakerScope::is_narrow`] |
//! | does another channel get around it | [`BreakerScope::is_channel_bound`] |

mod coverage;
mod key;
mod point;
mod scope;
mod seal;
mod text;

pub use coverage::{covering_keys, key_for, widen};
pub use key::{ALL_KEY, BreakerKey, MAX_SCOPE_KEY_BYTES};
pub use point::BreakerPoint;
pub use scope::BreakerScope;
pub use seal::{SealedBreaker, is_sealed, seal};
pub use text::{keys_text, parse_keys_text, texts_naming};

use crate::string_enum;

string_enum! {
    /// A closed breaker lets money out; an open one stops it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum BreakerState("breaker state") {
        Closed = "closed",
        Open = "open",
    }
}

#[cfg(test)]
mod tests;
