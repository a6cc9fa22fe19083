//! A verdict with everything that a person needs to understand it.

use crate::breakers;
use crate::leader::guard_db::GuardDb;
use crate::rules::{RuleHeader, parse_header};
use crate::verdicts::repo::{self, VerdictRow};
use crate::workflow::repo as sets;
use serde::Serialize;
use sluice_contract::breaker::{BreakerKey, BreakerPoint};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictDetails {
    #[serde(flatten)]
    pub verdict: VerdictRow,
    /// What the rule's own text says; none if the text is not kept.
    pub about: Option<RuleDescription>,
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
    let about = text
        .and_then(|text| parse_header(&verdict.rule, &text).ok())
        .map(RuleDescription::from);
    let named = verdict.breaker.as_deref().map(keys).unwrap_or_default();
    let breakers = breakers::repo::find(&mut conn, &db.schemas, &named).await?;
    Ok(Some(VerdictDetails {
        verdict,
        about,
        breakers,
    }))
}

/// The breakers that `refund+settlement/account/A-17` stands for; `*` for every point.
fn keys(text: &str) -> Vec<BreakerKey> {
    let Some((points, rest)) = text.split_once('/') else {
        return Vec::new();
    };
    let every = [
        BreakerPoint::Refund,
        BreakerPoint::Settlement,
        BreakerPoint::CashOut,
    ]
    .map(BreakerPoint::as_str);
    let points: Vec<&str> = if points == "*" {
        every.to_vec()
    } else {
        points.split('+').collect()
    };
    points
        .iter()
        .filter_map(|point| format!("{point}/{rest}").parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_stored_name_stands_for_its_breakers() {
        let keys = |text| {
            crate::http::verdict_explanation::keys(text)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            keys("refund+cash_out/account/a/b"),
            ["refund/account/a/b", "cash_out/account/a/b"]
        );
        assert_eq!(keys("*/all/*").len(), 3);
        assert!(keys("").is_empty() && keys("x/y/z").is_empty());
    }
}
