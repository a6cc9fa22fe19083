//! Resets of many breakers at once: all that verdicts of one rule, at one version of the
//! set, keep open. First listed, then closed by the hash of that list.

use crate::breakers;
use crate::leader::guard_db::GuardDb;
use crate::verdicts::open_repo::{self, OpenVerdict};
use crate::workflow::resets::decide::{ResetRefusal, decide};
use crate::workflow::resets::{LockedBreakers, MAX_BULK_VERDICTS};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sluice_contract::breaker::{BreakerKey, BreakerScope, BreakerState};
use std::collections::{BTreeMap, BTreeSet};

/// Breakers that one request closes: its transaction holds the seal, for which commits wait.
/// More are closed by the next one.
const MAX_BREAKERS: usize = 200;

/// Breakers that a rule at a version of the set keeps open, and which of them can be closed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkPlan {
    pub rule: String,
    pub set_version: i64,
    /// Breakers that can be closed.
    pub breakers: Vec<PlannedBreaker>,
    /// Verdicts of the rule that are answered with it.
    pub verdicts: Vec<String>,
    /// Breakers that something else keeps open, and what.
    pub kept: BTreeMap<String, Vec<String>>,
    /// There are more than one request closes.
    pub more: bool,
    /// 16 hex digits over breakers, versions and verdicts; the reset names it.
    pub hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedBreaker {
    pub breaker: String,
    pub version: i64,
    #[serde(skip)]
    key: Option<BreakerKey>,
}

impl BulkPlan {
    /// A breaker among them stops everybody.
    pub fn stops_everybody(&self) -> bool {
        let scopes = self.breakers.iter().filter_map(|b| b.key.as_ref());
        scopes.into_iter().any(|key| key.scope == BreakerScope::All)
    }
}

/// Lists what a reset of this rule at this version would close.
pub async fn plan(db: &GuardDb, rule: &str, set_version: i64) -> anyhow::Result<BulkPlan> {
    let mut conn = db.conn().await?;
    let schemas = &db.schemas;
    let of_rule = (rule, set_version);
    let named = open_repo::open_of(&mut conn, schemas, of_rule, MAX_BULK_VERDICTS).await?;
    let names: BTreeSet<String> = named
        .iter()
        .flat_map(OpenVerdict::keys)
        .map(|key| key.to_string())
        .collect();
    let mut more = named.len() == MAX_BULK_VERDICTS;
    let keys: Vec<BreakerKey> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let mut rows = Vec::new();
    for some in keys.chunks(MAX_BREAKERS) {
        rows.extend(breakers::repo::find(&mut conn, schemas, some).await?);
    }
    rows.retain(|row| row.state != BreakerState::Closed.as_str());
    more |= rows.len() > MAX_BREAKERS;
    rows.truncate(MAX_BREAKERS);
    let planned: Vec<PlannedBreaker> = rows.iter().map(PlannedBreaker::of).collect();
    let keys: Vec<BreakerKey> = planned.iter().filter_map(|b| b.key.clone()).collect();
    let locked = LockedBreakers::begin(&mut conn, db, &keys, MAX_BULK_VERDICTS).await?;
    let is_meant = |v: &OpenVerdict| v.rule == rule && v.set_version == set_version;
    let (mut breakers, mut kept) = (Vec::new(), BTreeMap::new());
    for one in planned {
        let Some(key) = one.key.clone() else { continue };
        match decide(&locked.state, &[(key, one.version)], is_meant) {
            Ok(()) => breakers.push(one),
            Err(refusal) => drop(kept.insert(one.breaker, refusal.reasons)),
        }
    }
    let closes = |v: &&OpenVerdict| {
        let mut keys = breakers.iter().filter_map(|b| b.key.as_ref());
        keys.any(|key| v.names(key))
    };
    let verdicts: Vec<String> = locked
        .state
        .open
        .iter()
        .filter(closes)
        .map(|v| v.verdict_id.clone())
        .collect::<BTreeSet<String>>()
        .into_iter()
        .collect();
    Ok(BulkPlan {
        rule: rule.to_owned(),
        set_version,
        hash: hash_of(&breakers, &verdicts),
        breakers,
        verdicts,
        kept,
        more,
    })
}

/// Closes what `plan` lists, if that is what the caller saw; the new plan, unclosed, if not.
pub async fn close(
    db: &GuardDb,
    plan: &BulkPlan,
    (by, reason): (&str, &str),
) -> anyhow::Result<Result<usize, ResetRefusal>> {
    let seen: Vec<(BreakerKey, i64)> = plan
        .breakers
        .iter()
        .filter_map(|b| Some((b.key.clone()?, b.version)))
        .collect();
    let keys: Vec<BreakerKey> = seen.iter().map(|(key, _)| key.clone()).collect();
    let mut conn = db.conn().await?;
    let locked = LockedBreakers::begin(&mut conn, db, &keys, MAX_BULK_VERDICTS).await?;
    let is_answered = |v: &OpenVerdict| plan.verdicts.binary_search(&v.verdict_id).is_ok();
    if let Err(refusal) = decide(&locked.state, &seen, is_answered) {
        return Ok(Err(refusal));
    }
    Ok(Ok(locked.close(&seen, (by, reason)).await?.len()))
}

impl PlannedBreaker {
    fn of(row: &breakers::repo::BreakerRow) -> PlannedBreaker {
        let key = BreakerKey::from_row(&row.point, &row.scope, row.key.clone()).ok();
        PlannedBreaker {
            breaker: format!("{}/{}/{}", row.point, row.scope, row.key),
            version: row.version,
            key,
        }
    }
}

fn hash_of(breakers: &[PlannedBreaker], verdicts: &[String]) -> String {
    let mut names: Vec<String> = breakers
        .iter()
        .map(|b| format!("{}@{}", b.breaker, b.version))
        .collect();
    names.sort_unstable();
    let text = format!("{}\n\n{}", names.join("\n"), verdicts.join("\n"));
    hex::encode(&Sha256::digest(text)[..8])
}
