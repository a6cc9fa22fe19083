//! Modes of a rule, in the order in which a rule is promoted.

use serde::Deserialize;

/// The mode of a rule says how far its word goes: `draft` is evaluated in cases only,
/// `shadow` is recorded, `alert` pages somebody, `trip` opens a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleMode {
    Draft,
    Shadow,
    Alert,
    Trip,
}

impl RuleMode {
    pub fn as_str(self) -> &'static str {
        match self {
            RuleMode::Draft => "draft",
            RuleMode::Shadow => "shadow",
            RuleMode::Alert => "alert",
            RuleMode::Trip => "trip",
        }
    }
}
