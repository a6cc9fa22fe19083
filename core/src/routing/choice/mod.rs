//! Choice of an order's channel, by priority, weight, rules and limits.

mod choose;
mod order;
mod reasons;
mod status;

#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;

pub use choose::{RouteDecision, choose};
pub use status::ChannelStatus;
