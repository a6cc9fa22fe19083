//! The rule of unlogged changes, the one that is not a file: a watched table was changed by
//! a statement that left no rows in the binlog. What it did is unknown, so everything stops, and no
//! rule file can be edited so that it doesn't.

use crate::rules::compile::parse_header;
use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::runtime::make_finding::verdict_id;
use crate::rules::stream::guard_row::GUARD_ROW_ID;
use crate::rules::text::header::RuleHeader;
use sha2::{Digest, Sha256};
use sluice_contract::breaker::BreakerKey;
use std::sync::Arc;

/// Rules that are no files.
pub const BUILT_IN_RULES: [&str; 3] = [UNLOGGED_CHANGE_ID, GUARD_ROW_ID, GAP_RULE];
/// The rule of a gap that the audit closed: what was committed there, nobody has read.
pub const GAP_RULE: &str = "gap";
const UNLOGGED_CHANGE_ID: &str = "statement_dml";
const UNLOGGED_CHANGE_HEADER: &str = concat!(
    r#"//! id = "statement_dml"
//! guards = "Watched tables change by rows that the sidecar can see."
//! kind = "manual_fix"
//! severity = "critical"
//! mode = "trip"
//! breaker = ["cash_out/all", "settlement/all", "refund/all"]
//! owner = "risk"
//! runbook = "Somebody changed the database by hand, with a statement that left no rows. "#,
    r#"Run the audit over the table before closing the breakers."
//! [trigger]
//! on = "transaction"
//! tables = ["orders", "attempt", "balance", "capture", "entry"]
"#
);

/// Makes findings of that rule.
pub struct UnloggedChangeRule {
    header: Arc<RuleHeader>,
    hash: String,
}

impl UnloggedChangeRule {
    /// An error is a fault of this file, found by its test.
    pub fn load() -> anyhow::Result<Self> {
        let header = parse_header(UNLOGGED_CHANGE_ID, UNLOGGED_CHANGE_HEADER)
            .map_err(|e| anyhow::anyhow!("{UNLOGGED_CHANGE_ID}: {e}"))?;
        Ok(UnloggedChangeRule {
            header: Arc::new(header),
            hash: hex::encode(&Sha256::digest(UNLOGGED_CHANGE_HEADER)[..8]),
        })
    }

    /// `count` statements of the transaction at `position` changed `table` unseen;
    /// `text` is the first of them.
    pub fn finding(&self, position: &Arc<str>, table: &str, count: usize, text: &str) -> Finding {
        let stopped = self.header.breakers.iter();
        Finding {
            verdict_id: verdict_id(&[UNLOGGED_CHANGE_ID, "unseen", position, "", table]),
            before: None,
            rule: Arc::clone(&self.header),
            rule_hash: self.hash.clone(),
            outcome: FindingOutcome::Violation,
            position: Arc::clone(position),
            item: table.to_owned(),
            account: String::new(),
            amount: None,
            detail: None,
            message: format!(
                "{table} was changed by {count} statement(s) without rows in the binlog; pairs and windows over it \
                 can't be trusted before an audit has run: {text}"
            ),
            breakers: stopped.map(|(point, _)| BreakerKey::all(*point)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stops_every_point_and_names_the_table() -> anyhow::Result<()> {
        let rule = UnloggedChangeRule::load()?;
        let position: Arc<str> = "0-1-7".into();
        let found = rule.finding(&position, "entry", 1, "DELETE FROM entry");
        assert_eq!((found.item.as_str(), found.breakers.len()), ("entry", 3));
        assert!(found.message.ends_with("DELETE FROM entry"));
        assert_ne!(
            found.verdict_id,
            rule.finding(&position, "orders", 1, "").verdict_id
        );
        Ok(())
    }
}
