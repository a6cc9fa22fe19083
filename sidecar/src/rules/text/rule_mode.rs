//! Modes of a rule, in the order in which a rule is promoted.

use sluice_contract::string_enum;

string_enum! {
    /// The mode of a rule says how far its word goes: `draft` is evaluated in cases only,
    /// `shadow` is recorded, `alert` pages somebody, `trip` opens a breaker.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum RuleMode("a rule's mode") {
        Draft = "draft",
        Shadow = "shadow",
        Alert = "alert",
        Trip = "trip",
    }
}
