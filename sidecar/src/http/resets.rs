//! Resets over HTTP, and answers to verdicts that hold no breaker. What stops everybody, or
//! many at once, is closed by two people.

use crate::breakers;
use crate::http::answers::{
    HandlerResult, answer, failed, parse, refuse, refuse_with, unwrap_response,
};
use crate::http::breakers::{BreakerPath, breaker_key};
use crate::http::promotions::{promotion_response, required_text};
use crate::http::state::{HttpState, OperatorAuth};
use crate::leader::guard_db::GuardDb;
use crate::verdicts::cut;
use crate::verdicts::life::{VerdictAnswer, VerdictLife};
use crate::verdicts::open_repo;
use crate::workflow::promotion::two_people::{self, Disarming, DisarmingStep};
use crate::workflow::resets::{self, BreakerReset, ResetRefusal, bulk};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use mysql_async::TxOpts;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sluice_contract::breaker::BreakerScope;
use sluice_contract::clock::now_us;
use sluice_contract::wire::ApiCode;
use std::collections::BTreeSet;

/// Width of reasons and answers.
const MAX_REASON_CHARS: usize = 400;
/// Breakers that one person may reset at once.
const MAX_ALONE: usize = 20;

pub(super) fn router() -> Router<HttpState> {
    Router::new()
        .route("/breakers/{point}/{scope}/{key}", get(show))
        .route("/breakers/{point}/{scope}/{key}/reset", post(reset))
        .route("/breakers/reset", post(reset_many))
        .route("/verdicts/{id}/answer", post(answer_verdict))
}

/// Answers one breaker with its open verdicts, and what stands at rest.
async fn show(State(db): State<GuardDb>, Path(named): BreakerPath) -> Response {
    let key = match breaker_key(named) {
        Ok(key) => key,
        Err(error) => return refuse(ApiCode::BadField, error.to_string()),
    };
    match resets::findings_on(&db, &key).await {
        Ok(Some(found)) => answer(found),
        Ok(None) => refuse(ApiCode::TooLate, format!("{key} was never open")),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    by: Option<String>,
    reason: String,
    /// As `GET /breakers/…` shows it.
    version: i64,
    /// Ids of the verdicts that are answered with it.
    #[serde(default)]
    verdicts: BTreeSet<String>,
}

async fn reset(
    State(db): State<GuardDb>,
    State(auth): State<OperatorAuth>,
    Path(named): BreakerPath,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = async {
        auth.actor(&headers, Some("-"))?;
        let key = breaker_key(named)
            .map_err(|error| Box::new(refuse(ApiCode::BadField, error.to_string())))?;
        let asked: ResetBody = parse(&body)?;
        let by = auth.actor(&headers, asked.by.as_deref())?;
        let wanted = BreakerReset {
            key,
            version: asked.version,
            verdicts: asked.verdicts,
            reason: cut(required_text("reason", &asked.reason)?, MAX_REASON_CHARS),
        };
        if wanted.key.scope != BreakerScope::All {
            return carry_out(&db, &wanted, &by).await;
        }
        let by = auth.second_person(&headers)?;
        propose(
            &db,
            DisarmingStep::Reset,
            &wanted.key.to_string(),
            &wanted,
            (&by, &wanted.reason),
        )
        .await
    };
    unwrap_response(done.await)
}

/// Stores what takes a second person.
async fn propose(
    db: &GuardDb,
    step: DisarmingStep,
    subject: &str,
    content: &impl Serialize,
    (by, reason): (&str, &str),
) -> HandlerResult {
    let content = serde_json::to_value(content);
    let content = content.map_err(|error| Box::new(failed(&error.into())))?;
    let disarming = Disarming {
        step,
        subject,
        content,
        by,
        reason,
    };
    Ok(promotion_response(two_people::propose(db, disarming).await))
}

/// Resets one breaker.
pub(super) async fn carry_out(db: &GuardDb, wanted: &BreakerReset, by: &str) -> HandlerResult {
    let breaker = wanted.key.to_string();
    match resets::reset(db, wanted, by).await {
        Ok(Ok(version)) => {
            let (reason, answered) = (&wanted.reason, wanted.verdicts.len());
            tracing::warn!(
                breaker,
                by,
                reason,
                answered,
                version,
                "breaker closed by hand"
            );
            Ok(answer(
                json!({ "breaker": breaker, "state": "closed", "version": version }),
            ))
        }
        Ok(Err(refusal)) => Ok(refused(&refusal)),
        Err(error) => Err(Box::new(failed(&error))),
    }
}

fn refused(refusal: &ResetRefusal) -> Response {
    refuse_with(ApiCode::TooLate, refusal.reasons.join("; "), json!(refusal))
}

/// A reset of everything that one rule at one version of the set keeps open.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkResetBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    rule: String,
    set_version: i64,
    #[serde(default)]
    pub(super) reason: String,
    /// Of the list that the caller saw; without it the answer is that list.
    hash: Option<String>,
}

impl BulkResetBody {
    /// Subject of its proposal.
    pub(super) fn subject(&self) -> String {
        format!("reset {}", self.hash.as_deref().unwrap_or_default())
    }
}

async fn reset_many(
    State(db): State<GuardDb>,
    State(auth): State<OperatorAuth>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = async {
        let asked: BulkResetBody = parse(&body)?;
        let by = auth.actor(&headers, asked.by.as_deref())?;
        let plan = bulk::plan(&db, &asked.rule, asked.set_version).await;
        let plan = plan.map_err(|error| Box::new(failed(&error)))?;
        if asked.hash.is_none() {
            return Ok(answer(plan));
        }
        let reason = cut(required_text("reason", &asked.reason)?, MAX_REASON_CHARS);
        if plan.breakers.len() <= MAX_ALONE && !plan.stops_everybody() {
            return close_planned(&db, &asked, &plan, (&by, &reason)).await;
        }
        is_as_seen(&asked, &plan)?;
        let by = auth.second_person(&headers)?;
        propose(
            &db,
            DisarmingStep::ResetMany,
            &asked.subject(),
            &asked,
            (&by, &reason),
        )
        .await
    };
    unwrap_response(done.await)
}

/// Carries out what a second person approved, if it is still the same list.
pub(super) async fn carry_out_many(
    db: &GuardDb,
    asked: &BulkResetBody,
    (by, reason): (&str, &str),
) -> HandlerResult {
    let plan = bulk::plan(db, &asked.rule, asked.set_version).await;
    let plan = plan.map_err(|error| Box::new(failed(&error)))?;
    close_planned(db, asked, &plan, (by, reason)).await
}

async fn close_planned(
    db: &GuardDb,
    asked: &BulkResetBody,
    plan: &bulk::BulkPlan,
    (by, reason): (&str, &str),
) -> HandlerResult {
    is_as_seen(asked, plan)?;
    match bulk::close(db, plan, (by, reason)).await {
        Ok(Ok(closed)) => {
            let (rule, set) = (&plan.rule, plan.set_version);
            tracing::warn!(
                rule,
                set,
                by,
                reason,
                closed,
                "breakers of a rule closed by hand"
            );
            Ok(answer(
                json!({ "closed": closed, "kept": plan.kept, "more": plan.more }),
            ))
        }
        Ok(Err(refusal)) => Ok(refused(&refusal)),
        Err(error) => Err(Box::new(failed(&error))),
    }
}

fn is_as_seen(asked: &BulkResetBody, plan: &bulk::BulkPlan) -> Result<(), Box<Response>> {
    if plan.breakers.is_empty() {
        let reasons = json!({ "kept": plan.kept });
        let why = "verdicts of this rule and set keep nothing open that could be closed";
        return Err(Box::new(refuse_with(ApiCode::TooLate, why, reasons)));
    }
    if asked.hash.as_ref() != Some(&plan.hash) {
        let why = "this is another list than you saw, more was found or moved: look at it again";
        return Err(Box::new(refuse_with(ApiCode::TooLate, why, json!(plan))));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    by: Option<String>,
    reason: String,
}

/// Answers a verdict that holds no breaker; one that does is answered by its reset.
async fn answer_verdict(
    State(db): State<GuardDb>,
    State(auth): State<OperatorAuth>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = async {
        let asked: AnswerBody = parse(&body)?;
        let by = auth.actor(&headers, asked.by.as_deref())?;
        let text = cut(required_text("reason", &asked.reason)?, MAX_REASON_CHARS);
        match write_answer(&db, &id, (&by, &text)).await {
            Ok(response) => Ok(response),
            Err(error) => Err(Box::new(failed(&error))),
        }
    };
    unwrap_response(done.await)
}

async fn write_answer(
    db: &GuardDb,
    id: &str,
    (by, text): (&str, &str),
) -> anyhow::Result<Response> {
    let schemas = &db.schemas;
    let mut conn = db.conn().await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    // The lock order of a reset: a breaker that it names must not open meanwhile.
    db.seal.lock(&mut tx, schemas).await?;
    let Some((life, keys)) = open_repo::life_of(&mut tx, schemas, id).await? else {
        return Ok(refuse(
            ApiCode::UnknownVerdict,
            "there is no verdict of this id: see GET /verdicts",
        ));
    };
    if life != VerdictLife::Open.as_str() {
        return Ok(refuse(ApiCode::TooLate, format!("this verdict is {life}")));
    }
    let named: Vec<_> = keys.iter().collect();
    let open = breakers::repo::open_among(&mut tx, schemas, &named).await?;
    if let Some(held) = open.iter().min() {
        let why = format!("it holds {held} open: it is answered by the reset of that breaker");
        return Ok(refuse(ApiCode::TooLate, why));
    }
    let given = VerdictAnswer {
        by,
        text,
        at_us: now_us(),
        with: None,
    };
    open_repo::answer(&mut tx, schemas, &[id], given).await?;
    tx.commit().await?;
    tracing::warn!(verdict = id, by, text, "verdict answered");
    Ok(answer(json!({ "verdictId": id, "life": "answered" })))
}
