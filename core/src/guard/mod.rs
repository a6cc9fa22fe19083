//! What stands between an order and its money: the sidecar's fence, and the breakers.

pub mod breakers;
pub mod fence;
pub mod lease;
