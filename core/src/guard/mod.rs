//! Guard: the sidecar's fence, and the breakers, stand between an order and its money.

pub mod breakers;
pub mod fence;
mod fence_stream;
pub mod lease;
pub mod probe;
