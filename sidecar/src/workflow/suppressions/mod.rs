//! Suppressions: findings that somebody answers for, by rule and key, up to an amount,
//! until a time. They are recorded and counted like any other, and open nothing.

pub mod repo;

use crate::guard_rows::GuardRows;
use crate::rules::runtime::finding::FindingOutcome;
use crate::verdicts::Verdict;
use mysql_async::Transaction;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sluice_contract::schema::Schemas;
use std::collections::{BTreeMap, BTreeSet};

/// Longest life: whatever is wrong for a week needs another rule.
pub const MAX_LIFETIME_US: i64 = 7 * 24 * crate::workflow::HOUR_US;
/// In force at a time: each is a hole.
pub const MAX_SUPPRESSIONS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppression {
    pub id: String,
    pub rule: String,
    /// An account or an item, exactly as findings name it.
    pub key: String,
    pub reason: String,
    pub author: String,
    /// Most money that may pass in all, in major units of whatever currency.
    pub amount_cap: Decimal,
    pub amount_used: Decimal,
    pub hits: u64,
    pub created_us: i64,
    pub expires_us: i64,
    pub revoked_us: Option<i64>,
}

impl Suppression {
    pub fn is_in_force(&self, now_us: i64) -> bool {
        self.revoked_us.is_none() && self.expires_us > now_us
    }

    /// Whether findings of `rule` on one of `keys` are meant, and `amount` more may pass.
    pub fn has_room_for(&self, rule: &str, keys: [&str; 2], amount: Option<Decimal>) -> bool {
        let within = |amount: Decimal| {
            self.amount_used
                .checked_add(amount.abs())
                .is_some_and(|used| used <= self.amount_cap)
        };
        self.rule == rule && keys.contains(&self.key.as_str()) && amount.is_some_and(within)
    }

    /// The finding is one of those meant, and there is room for its amount.
    fn takes(&self, verdict: &Verdict) -> bool {
        let keys = [verdict.account_id.as_str(), verdict.item.as_str()];
        self.has_room_for(&verdict.rule, keys, verdict.amount)
    }
}

/// Marks what is suppressed at `now_us`: it keeps its mode and loses its breakers.
/// Only violations of armed rules: an error is nobody's known finding, and what opens
/// and pages nothing needs no suppression.
pub async fn apply(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
    verdicts: &mut [Verdict],
    now_us: i64,
) -> mysql_async::Result<()> {
    let meant = |v: &&mut Verdict| v.outcome == FindingOutcome::Violation.as_str() && v.is_armed();
    let mut armed: Vec<&mut Verdict> = verdicts.iter_mut().filter(meant).collect();
    if armed.is_empty() {
        return Ok(());
    }
    let rules: BTreeSet<&str> = armed.iter().map(|v| v.rule.as_str()).collect();
    let mut found = repo::suppressions_of(tx, schemas, signed, &rules, now_us).await?;
    let mut hit: BTreeMap<usize, u64> = BTreeMap::new();
    for verdict in &mut armed {
        let Some((at, one)) = found.iter_mut().enumerate().find(|(_, s)| s.takes(verdict)) else {
            continue;
        };
        one.amount_used += verdict.amount.unwrap_or_default().abs();
        *hit.entry(at).or_default() += 1;
        verdict.suppression = Some(one.id.clone());
        verdict.breakers.clear();
    }
    for (at, hits) in hit {
        repo::count_suppressed(tx, schemas, signed, &found[at], hits).await?;
    }
    Ok(())
}
