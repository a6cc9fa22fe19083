//! From draft to armed. What runs is the set in force in the database, the same in
//! every sidecar; the folder is only where edits come from. Each change is a new
//! version of the whole set, so that any of the last ones can be had back at once.

pub mod acceptance;
pub mod arming;
mod budgets;
pub mod folder_import;
pub mod operators;
pub mod promotion;
pub mod promotion_rules;
pub mod publish_repo;
pub mod repo;
pub mod resets;
mod rule_set_version;
mod rule_text;
pub mod settings;
pub mod signed_rows_repo;
pub mod suppressions;
pub mod timed;
pub mod trials;

#[cfg(test)]
mod tests;

pub use crate::workflow::rule_set_version::{RuleSetMember, RuleSetVersion};
pub use crate::workflow::rule_text::RuleText;

use crate::rules::RuleMode;

/// Sets that can be had back.
pub const MAX_KEPT_SETS: i64 = 20;
/// The window of rates and budgets.
pub const HOUR_US: i64 = 3_600_000_000;

/// Reads a mode as headers, rows and requests write it.
pub fn mode_of(text: &str) -> Option<RuleMode> {
    [
        RuleMode::Draft,
        RuleMode::Shadow,
        RuleMode::Alert,
        RuleMode::Trip,
    ]
    .into_iter()
    .find(|mode| mode.as_str() == text)
}
