//! Terminal and report output that demo, bench and the fault drills share.

pub mod json;
pub mod latency;
pub mod progress;
