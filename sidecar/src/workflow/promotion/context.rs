//! Capabilities of a promotion: what an operator's change of the rule set may use.

use crate::active_rules::ActiveRuleSet;
use crate::leader::guard_db::GuardDb;
use crate::workflow::promotion::case_results::CaseResultCache;
use crate::workflow::settings::SuppressSettings;
use sluice_contract::provenance::TransactionVerifier;
use std::sync::Arc;

/// Handles that a change of the rule set works with; clones share them.
#[derive(Clone)]
pub struct PromotionContext {
    pub db: GuardDb,
    /// Results of the cases that were run already.
    pub tested: Arc<CaseResultCache>,
    pub rules: ActiveRuleSet,
    /// Verifies signed rows; a set is compiled with it before it is published.
    pub transaction_keys: TransactionVerifier,
    /// Time for which a version must have been evaluated in shadow, in µs.
    pub soak_us: i64,
    /// Bounds of a suppression on one person's word.
    pub suppress: SuppressSettings,
}
