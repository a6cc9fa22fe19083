//! Breakers in hindsight: the money that they would have held, simulated over the
//! recording's own time. A finding opens what live would open; a person who closed it
//! then closes it here; orders that were claimed meanwhile would have waited. Which
//! orders a breaker covers, `sluice_contract::breaker` decides, as it does live.

mod effects;
mod rows;
mod simulator;

#[cfg(test)]
mod tests;

pub use effects::{BreakerEffects, BreakerOpening, HeldMoney, HeldSum};
pub use simulator::BreakerSimulator;
