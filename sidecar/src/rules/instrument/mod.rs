//! Instruments of coverage: a copy of a rule's text that counts which branches are taken.

pub mod copy;
pub mod counters;
mod operands;
mod places;
