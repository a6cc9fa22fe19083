//! Limits of payments, single and cumulative: which of them an order would break, and
//! the totals that hold the cumulative ones to the cent.

pub mod repo;
mod routing_limits;
mod total_key;
mod totals;
mod usage;

pub use routing_limits::{BrokenLimit, RoutingLimits};
pub use total_key::{LimitTimes, LimitTotalKey, keys};
pub use totals::{LimitTotal, LimitTotals, LimitTotalsError};
pub use usage::LimitUsage;
