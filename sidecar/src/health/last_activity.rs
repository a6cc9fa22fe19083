//! When a source last said anything, its heartbeats included: silence is measured,
//! not guessed from what did not come.

use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Shared by a reader, which tells, and the gauges.
#[derive(Debug, Clone)]
pub struct LastActivity(Arc<AtomicI64>);

impl Default for LastActivity {
    /// Silence counts from here.
    fn default() -> Self {
        LastActivity(Arc::new(AtomicI64::new(now_us())))
    }
}

impl LastActivity {
    pub fn now(&self) {
        self.0.store(now_us(), Ordering::Relaxed);
    }

    /// µs since the source last said anything.
    pub fn silent_us(&self) -> i64 {
        now_us()
            .saturating_sub(self.0.load(Ordering::Relaxed))
            .max(0)
    }
}
