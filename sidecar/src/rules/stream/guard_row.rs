//! The rule of the guard's own rows, which is no file: a row of the guard, or one that was
//! taken away, without a program's signature. Whoever wrote it can look away from anything,
//! so everything stops, and no rule file can be edited so that it doesn't.

use crate::rules::compile::parse_header;
use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::runtime::make_finding::verdict_id;
use crate::rules::text::header::RuleHeader;
use crate::rules::transaction::guard_changes::GuardBreach;
use sha2::{Digest, Sha256};
use sluice_contract::breaker::BreakerKey;
use std::sync::Arc;

pub const GUARD_ROW_ID: &str = "guard_row";
const GUARD_ROW_HEADER: &str = concat!(
    r#"//! id = "guard_row"
//! guards = "Rows of the guard are written, and rows of the core taken away, by programs alone."
//! kind = "manual_fix"
//! severity = "critical"
//! mode = "trip"
//! breaker = ["cash_out/all", "settlement/all", "refund/all"]
//! owner = "risk"
//! runbook = "Somebody changed the guard by hand, or took rows away. Find out who and why, look "#,
    r#"at everything since, then `sluice guard seal` and close the breakers."
//! [trigger]
//! on = "transaction"
//! tables = ["orders", "attempt", "balance", "capture", "entry"]
"#
);

/// Makes findings of that rule.
pub struct GuardRowRule {
    header: Arc<RuleHeader>,
    hash: String,
}

impl GuardRowRule {
    /// An error is a fault of this file, found by its test.
    pub fn load() -> anyhow::Result<Self> {
        let header = parse_header(GUARD_ROW_ID, GUARD_ROW_HEADER)
            .map_err(|e| anyhow::anyhow!("{GUARD_ROW_ID}: {e}"))?;
        Ok(GuardRowRule {
            header: Arc::new(header),
            hash: hex::encode(&Sha256::digest(GUARD_ROW_HEADER)[..8]),
        })
    }

    /// The transaction at `position`, or what was found before reading, breached a table.
    pub fn finding(&self, position: &Arc<str>, breach: &GuardBreach) -> Finding {
        let stopped = self.header.breakers.iter();
        let GuardBreach { table, what, count } = breach;
        Finding {
            verdict_id: verdict_id(&[GUARD_ROW_ID, "by hand", position, "", table]),
            before: None,
            rule: Arc::clone(&self.header),
            rule_hash: self.hash.clone(),
            outcome: FindingOutcome::Violation,
            position: Arc::clone(position),
            item: table.clone(),
            account: String::new(),
            amount: None,
            detail: None,
            message: format!("{table}: {count} row(s) changed by no program; {what}"),
            breakers: stopped.map(|(point, _)| BreakerKey::all(*point)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stops_every_point_and_names_the_table() -> anyhow::Result<()> {
        let rule = GuardRowRule::load()?;
        let breach = GuardBreach {
            table: "lease".to_owned(),
            what: "a row that no program wrote (name=sidecar)".to_owned(),
            count: 1,
        };
        let found = rule.finding(&"0-1-7".into(), &breach);
        assert_eq!((found.item.as_str(), found.breakers.len()), ("lease", 3));
        assert!(found.message.ends_with("(name=sidecar)"));
        assert_ne!(
            found.verdict_id,
            rule.finding(&"0-1-8".into(), &breach).verdict_id
        );
        Ok(())
    }
}
