//! Rule sets over HTTP: the versions, and the rules of the one in force.

use crate::health::Health;
use crate::http::answers::{answer, failed};
use crate::http::state::HttpState;
use crate::leader::guard_db::GuardDb;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::{RuleMode, parse_header};
use crate::workflow::promotion::{PromotionContext, activity_repo, proposals_repo};
use crate::workflow::promotion_rules::{DEFAULT_RATE_PER_HOUR, RuleActivity};
use crate::workflow::trials::{self, RuleTrial};
use crate::workflow::{HOUR_US, MAX_KEPT_SETS, RuleSetMember, RuleSetVersion, repo};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use std::collections::HashMap;

pub(super) fn router() -> Router<HttpState> {
    Router::new()
        .route("/rules", get(list))
        .route("/rules/sets", get(sets))
}

async fn sets(State(db): State<GuardDb>) -> Response {
    let listed = async {
        let mut conn = db.conn().await?;
        anyhow::Ok(repo::heads(&mut conn, &db.schemas, MAX_KEPT_SETS + 1).await?)
    };
    listed.await.map_or_else(|error| failed(&error), answer)
}

/// Answers the rules in force, with what each version found within the hour.
async fn list(State(context): State<PromotionContext>, State(health): State<Health>) -> Response {
    let loaded = context
        .rules
        .current()
        .as_ref()
        .map(|r| (r.version(), r.hash().to_owned()));
    let listed = async {
        let mut conn = context.db.conn().await?;
        let now = now_us();
        let version = repo::active(&mut conn, &context.db.schemas).await?;
        let set = repo::read(&mut conn, &context.db.schemas, version)
            .await?
            .unwrap_or_default();
        let seen = activity_repo::seen(&mut conn, &context.db.schemas, now - HOUR_US).await?;
        let trials = trials::repo::trials(&mut conn, &context.db.schemas).await?;
        let proposals = proposals_repo::proposals(&mut conn, &context.db.schemas, now).await?;
        // Cases may run for a while: the connection is for those who commit.
        drop(conn);
        let report = health.status.read();
        anyhow::Ok(json!({
            "hash": loaded.as_ref().map(|(_, hash)| hash),
            "version": loaded.as_ref().map(|(version, _)| version),
            "inForce": version,
            "refused": report.rules_refused,
            "rules": rows(&context, &set, &seen, &trials).await?,
            "proposals": proposals,
        }))
    };
    listed.await.map_or_else(|error| failed(&error), answer)
}

async fn rows(
    context: &PromotionContext,
    set: &RuleSetVersion,
    seen: &HashMap<(String, String), RuleActivity>,
    trials: &[RuleTrial],
) -> anyhow::Result<Vec<Value>> {
    let loaded = context.rules.current();
    let mut rows = Vec::new();
    for member in &set.members {
        let version = (member.rule.clone(), member.text.rule_hash.clone());
        let seen = seen.get(&version).copied().unwrap_or_default();
        let untested = context.tested.untested(member).await?;
        let asleep = is_asleep(loaded.as_deref(), member);
        let mut row = row(member, seen, asleep, &untested);
        let trial = trials
            .iter()
            .find(|t| t.rule == member.rule && t.rule_hash == member.text.rule_hash);
        row["trial"] = json!(trial);
        rows.push(row);
    }
    Ok(rows)
}

/// Whether a rule compares tables that lie on servers which this sidecar doesn't read
/// together: it is loaded as a draft then.
fn is_asleep(loaded: Option<&RuleSet>, member: &RuleSetMember) -> bool {
    member.mode != RuleMode::Draft
        && loaded
            .iter()
            .flat_map(|set| set.rules())
            .any(|h| h.id == member.rule && h.mode == RuleMode::Draft)
}

fn row(member: &RuleSetMember, seen: RuleActivity, asleep: bool, untested: &[String]) -> Value {
    let header = parse_header(&member.rule, &member.text.body).ok();
    let rate = header
        .as_ref()
        .and_then(|h| h.rate_per_hour)
        .unwrap_or(DEFAULT_RATE_PER_HOUR);
    json!({
        "id": member.rule,
        "hash": member.text.rule_hash,
        "mode": member.mode.as_str(),
        "asleep": asleep,
        "candidate": member.candidate,
        "demoted": member.demoted,
        "sinceUs": member.since_us,
        "findings": seen.findings,
        "errors": seen.errors,
        "ratePerHour": rate,
        "untested": untested,
        "guards": header.map(|h| h.guards),
    })
}
