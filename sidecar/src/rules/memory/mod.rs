//! Memories of rules: keyed logs, holds of accounts, watermarks, and marks to replay from.

pub mod account_holds;
pub mod keyed_log;
pub mod paired_item;
pub mod replay_marks;
pub mod watermarks;
