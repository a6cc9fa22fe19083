//! A verdict with everything that a person needs to understand it.

use crate::breakers;
use crate::leader::guard_db::GuardDb;
use crate::rules::{RuleHeader, parse_header};
use crate::verdicts::repo::{self, VerdictRow};
use crate::workflow::repo as sets;
use crate::workflow::trials::{self, RuleTrial};
use serde::Serialize;
use sluice_contract::breaker::parse_keys_text;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictDetails {
    #[serde(flatten)]
    pub verdict: VerdictRow,
    /// Description in the rule's own text; none if the text is not kept.
    pub about: Option<RuleDescription>,
    /// Trial of its version in shadow, with the last gap.
    pub trial: Option<RuleTrial>,
    /// Breakers that it names, as they are now.
    pub breakers: Vec<breakers::repo::BreakerRow>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleDescription {
    pub guards: String,
    pub severity: String,
    pub owner: String,
    pub runbook: String,
}

impl From<RuleHeader> for RuleDescription {
    fn from(header: RuleHeader) -> RuleDescription {
        RuleDescription {
            guards: header.guards,
            severity: format!("{:?}", header.severity).to_lowercase(),
            owner: header.owner,
            runbook: header.runbook,
        }
    }
}

/// `None` if there is no such verdict.
pub async fn explain(db: &GuardDb, id: &str) -> anyhow::Result<Option<VerdictDetails>> {
    let mut conn = db.conn().await?;
    let Some(verdict) = repo::find(&mut conn, &db.schemas, id).await? else {
        return Ok(None);
    };
    let text = sets::text(&mut conn, &db.schemas, &verdict.rule, &verdict.rule_hash).await?;
    let trials = trials::repo::trials(&mut conn, &db.schemas).await?;
    let version = |t: &RuleTrial| t.rule == verdict.rule && t.rule_hash == verdict.rule_hash;
    let trial = trials.into_iter().find(version);
    let about = text
        .and_then(|text| parse_header(&verdict.rule, &text).ok())
        .map(RuleDescription::from);
    let named = verdict
        .breaker
        .as_deref()
        .map(parse_keys_text)
        .unwrap_or_default();
    let breakers = breakers::repo::find(&mut conn, &db.schemas, &named).await?;
    Ok(Some(VerdictDetails {
        verdict,
        about,
        trial,
        breakers,
    }))
}
