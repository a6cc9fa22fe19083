//! Whether rows of the guard, limit totals and routing must be signed by now: the sidecar
//! says so on the fence's stream, once every program that writes them does.

use std::sync::{Arc, PoisonError, RwLock};

/// Characters of a month, `YYYYMM`, at the beginning of a limit's period.
const MONTH_CHARS: usize = 6;

/// The sidecar's word; clones share it. Said once it is never unsaid.
#[derive(Debug, Clone, Default)]
pub struct SignedSince(Arc<RwLock<Option<Arc<str>>>>);

impl SignedSince {
    /// Every row is signed but for limit totals of this month (`YYYYMM`, or empty) and before.
    pub fn learn(&self, unsigned_month: &str) {
        let known = self.get();
        if known.as_deref() != Some(unsigned_month) {
            let mut shared = self.0.write().unwrap_or_else(PoisonError::into_inner);
            *shared = Some(unsigned_month.into());
        }
    }

    fn get(&self) -> Option<Arc<str>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether rows must be signed.
    pub fn is_required(&self) -> bool {
        self.get().is_some()
    }

    /// Whether a limit total of this period (`YYYYMM` or `YYYYMMDD`) must be signed.
    pub fn is_required_of(&self, period: &str) -> bool {
        let month = period.get(..MONTH_CHARS).unwrap_or(period);
        self.get().is_some_and(|unsigned| month > &*unsigned)
    }
}

#[cfg(test)]
mod tests {
    use super::SignedSince;

    #[test]
    fn totals_of_the_month_of_the_mark_may_be_unsigned() {
        let since = SignedSince::default();
        assert!(!since.is_required() && !since.is_required_of("20261201"));
        since.learn("202611");
        assert!(since.is_required());
        assert!(!since.is_required_of("202611") && !since.is_required_of("20261130"));
        assert!(since.is_required_of("202612") && since.is_required_of("20261201"));
        since.learn("");
        assert!(since.is_required_of("202611"));
    }
}
