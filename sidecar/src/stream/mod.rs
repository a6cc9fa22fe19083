//! Where changes and events come from. Every source hands over batches in its own
//! order, with the position that they reach.

pub mod gtid;
pub mod offsets;

pub mod batches;
pub mod change;
pub mod feed;
pub mod position;
