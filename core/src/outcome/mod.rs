//! Outcomes of sent orders: replies, callbacks, queries, cancellations and recovery's
//! verdicts all come here, are decided by `orders::state::step`, and are written in
//! batches.

mod report;

mod apply;
mod recorder;
mod transaction;
mod writer;

#[cfg(test)]
mod tests;

pub use apply::{AckPolicy, OutcomeDelays, RENOTIFY_INTERVAL_US, SlowQueries};
pub use recorder::OutcomeRecorder;
pub use report::{AnswerTo, AskedQuery, OrderOutcome, OutcomeNotRecorded, OutcomeResult};
