//! Results of outcomes.

/// Result of an outcome that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeResult {
    Moved,
    Already,
    /// Recorded as a contradiction; the order stays as it was.
    Contradiction,
    Refused,
    /// Asked for again too soon: see `RENOTIFY_INTERVAL_US`.
    TooSoon,
    NoSuchOrder,
}

/// The database did not take the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outcome could not be written; it will be asked for again")]
pub struct OutcomeNotRecorded;
