//! Rows that close a gap: the gap itself, its verdict, and the checkpoint after it.

use crate::audit::run::job::AuditResult;
use crate::audit::runs_repo::SourceGap;
use crate::audit::writer::GapClosing;
use crate::leader::checkpoint_repo::CheckpointRow;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::{GAP_RULE, RuleMode, RuleSeverity};
use crate::verdicts::Verdict;
use sha2::{Digest, Sha256};
use sluice_contract::breaker::{BreakerKey, BreakerPoint};
use sluice_contract::clock::now_us;

/// Makes the rows for what was missed between the lost checkpoint and the position `to`.
pub(super) fn closing(
    checked: &AuditResult,
    lost: Option<&CheckpointRow>,
    to: &str,
    found_us: i64,
    rules: &RuleSet,
) -> GapClosing {
    let from = lost.map_or("", |stored| stored.position.as_str());
    let standing = checked.row.open_findings;
    let message = format!(
        "changes after {from} up to {to} could not be read: rules on rows and pairs are undecided there. Snapshots \
         found {standing} differences at rest"
    );
    let id = Sha256::digest(format!("gap/binlog/{from}/{to}"));
    let verdict = Verdict {
        verdict_id: hex::encode(&id[..16]),
        before: None,
        rule: GAP_RULE.to_owned(),
        rule_hash: "0".repeat(16),
        mode: RuleMode::Trip.as_str(),
        outcome: "undetermined",
        position: to.chars().take(190).collect(),
        item: "binlog".to_owned(),
        account_id: String::new(),
        message: message.chars().take(500).collect(),
        breakers: BreakerPoint::ALL.map(BreakerKey::all).to_vec(),
        set_version: rules.version(),
        amount: None,
        detail: None,
        suppression: None,
        opened: 0,
        severity: RuleSeverity::Critical.as_str(),
        correlation_id: None,
        trace: None,
    };
    GapClosing {
        gap: SourceGap {
            source: "binlog",
            from_position: from.to_owned(),
            to_position: to.to_owned(),
            found_us,
            closed_us: now_us(),
            verdicts: standing,
        },
        checkpoint: CheckpointRow {
            source: "binlog".to_owned(),
            position: to.to_owned(),
            replay_from: to.to_owned(),
        },
        rules_hash: rules.hash().chars().take(16).collect(),
        // Nobody was promised anything before the first start.
        verdict: lost.map(|_| verdict),
    }
}
