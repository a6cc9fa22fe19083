//! Suppressions over HTTP.

use crate::http::answers::{HandlerResult, answer, failed, parse, refuse, unwrap_response};
use crate::http::promotions::promotion_response;
use crate::http::state::{HttpState, OperatorAuth};
use crate::leader::guard_db::GuardDb;
use crate::rules::names_amount;
use crate::workflow::promotion::PromotionContext;
use crate::workflow::promotion::two_people::{self, Disarming, DisarmingStep};
use crate::workflow::repo::MAX_REASON_CHARS;
use crate::workflow::suppressions::{MAX_LIFETIME_US, MAX_SUPPRESSIONS, Suppression, repo};
use crate::workflow::{RuleSetVersion, repo as rule_sets};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::wire::ApiCode;

/// Widths of `finding_key` and `rule`.
const MAX_KEY_CHARS: usize = 190;
const MAX_RULE_CHARS: usize = 64;

pub fn router() -> Router<HttpState> {
    Router::new()
        .route("/suppressions", get(suppressions).post(suppress))
        .route("/suppressions/{id}/revoke", post(revoke))
}

async fn suppressions(State(db): State<GuardDb>) -> Response {
    let listed = async {
        let mut conn = db.conn().await?;
        anyhow::Ok(repo::suppressions(&mut conn, &db.schemas, now_us()).await?)
    };
    listed.await.map_or_else(|error| failed(&error), answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuppressionBody {
    rule: String,
    key: String,
    reason: String,
    /// Text, so that nothing is rounded on the way.
    amount_cap: String,
    expires_us: i64,
    by: Option<String>,
}

async fn suppress(
    State(context): State<PromotionContext>,
    State(auth): State<OperatorAuth>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let suppressed = async {
        let db = &context.db;
        let wanted: SuppressionBody = parse(&body)?;
        let author = auth.actor(&headers, wanted.by.as_deref())?;
        let made =
            suppression(&wanted, author).map_err(|why| Box::new(refuse(ApiCode::BadField, why)))?;
        can_be(db, &made.rule).await?;
        if !takes_two(&context, &made).await? {
            return store(db, made).await;
        }
        let first = auth.second_person(&headers)?;
        let content = serde_json::to_value(&made);
        let disarming = Disarming {
            step: DisarmingStep::Suppress,
            subject: &made.id,
            content: content.map_err(|error| Box::new(failed(&error.into())))?,
            by: &first,
            reason: &made.reason,
        };
        let proposed = two_people::propose(db, disarming).await;
        Ok(promotion_response(proposed))
    };
    unwrap_response(suppressed.await)
}

/// Suppressions of one rule may let pass so much together on one person's word: many small
/// ones are a large one.
async fn takes_two(context: &PromotionContext, made: &Suppression) -> Result<bool, Box<Response>> {
    let others = async {
        let mut conn = context.db.conn().await?;
        repo::suppressions(&mut conn, &context.db.schemas, made.created_us).await
    };
    let others = others
        .await
        .map_err(|error| Box::new(failed(&error.into())))?;
    let of_rule = others
        .iter()
        .filter(|s| s.rule == made.rule && s.is_in_force(made.created_us));
    let sum = of_rule.map(|s| s.amount_cap).sum::<Decimal>() + made.amount_cap;
    Ok(sum > context.suppress.two_people_above)
}

/// Puts a suppression in force.
pub(super) async fn store(db: &GuardDb, made: Suppression) -> HandlerResult {
    let stored = async {
        let mut conn = db.conn().await?;
        let now = now_us();
        let in_force = repo::suppressions(&mut conn, &db.schemas, now).await?;
        if in_force.iter().filter(|s| s.is_in_force(now)).count() >= MAX_SUPPRESSIONS {
            return Ok(false);
        }
        repo::suppress(&mut conn, &db.schemas, db.seal.rows(), &made).await?;
        anyhow::Ok(true)
    };
    Ok(match stored.await {
        Ok(true) => {
            tracing::warn!(
                rule = made.rule,
                key = made.key,
                by = made.author,
                reason = made.reason,
                "suppressed"
            );
            answer(made)
        }
        Ok(false) => refuse(
            ApiCode::RuleRefused,
            format!("{MAX_SUPPRESSIONS} suppressions are in force: revoke some"),
        ),
        Err(error) => failed(&error),
    })
}

/// A suppression that could never take anything must not look like one.
async fn can_be(db: &GuardDb, rule: &str) -> Result<(), Box<Response>> {
    let set = async {
        let mut conn = db.conn().await?;
        let version = rule_sets::active(&mut conn, &db.schemas).await?;
        Ok(rule_sets::read(&mut conn, &db.schemas, version)
            .await?
            .unwrap_or_default())
    };
    let set: RuleSetVersion = set
        .await
        .map_err(|error: anyhow::Error| Box::new(failed(&error)))?;
    let no = |why: String| Err(Box::new(refuse(ApiCode::RuleRefused, why)));
    match set.main(rule).or_else(|| set.candidate(rule)) {
        None => no(format!("there is no rule {rule} in set {}", set.version)),
        Some(member) if !names_amount(&member.text.body) => no(format!(
            "findings of {rule} name no amount, so that no cap could hold: reset what it stopped, or demote it"
        )),
        Some(_) => Ok(()),
    }
}

fn suppression(wanted: &SuppressionBody, author: String) -> Result<Suppression, String> {
    let now = now_us();
    let texts = [
        ("rule", &wanted.rule, MAX_RULE_CHARS),
        ("key", &wanted.key, MAX_KEY_CHARS),
        ("reason", &wanted.reason, MAX_REASON_CHARS),
    ];
    for (field, text, most) in texts {
        if text.trim().is_empty() || text.chars().count() > most {
            return Err(format!("{field} must have 1 to {most} characters"));
        }
    }
    let cap = Decimal::from_str_exact(&wanted.amount_cap)
        .ok()
        .filter(|cap| *cap >= Decimal::ZERO && cap.scale() <= 4);
    let cap = cap.filter(|cap| *cap < Decimal::from(10_000_000_000_000_000_u64));
    let Some(amount_cap) = cap else {
        return Err(
            "amount_cap is the most money that may pass in all, as text, such as \"100.00\""
                .to_owned(),
        );
    };
    if wanted.expires_us <= now || wanted.expires_us > now + MAX_LIFETIME_US {
        return Err("expires_us must lie ahead, and at most 7 days".to_owned());
    }
    Ok(Suppression {
        id: sluice_contract::ids::new_tx_id(),
        rule: wanted.rule.clone(),
        key: wanted.key.clone(),
        reason: wanted.reason.trim().to_owned(),
        author,
        amount_cap,
        amount_used: Decimal::ZERO,
        hits: 0,
        created_us: now,
        expires_us: wanted.expires_us,
        revoked_us: None,
    })
}

async fn revoke(
    State(db): State<GuardDb>,
    State(auth): State<OperatorAuth>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct RevokeBody {
        by: Option<String>,
    }
    let revoked = async {
        let asked: RevokeBody = if body.is_empty() {
            RevokeBody::default()
        } else {
            parse(&body)?
        };
        let by = auth.actor(&headers, asked.by.as_deref())?;
        let done = async {
            let mut conn = db.conn().await?;
            anyhow::Ok(
                repo::revoke(&mut conn, &db.schemas, db.seal.rows(), &id, (&by, now_us())).await?,
            )
        };
        Ok(match done.await {
            Ok(true) => {
                tracing::warn!(suppression = id, by, "suppression revoked");
                answer(json!({ "id": id, "revoked": true }))
            }
            Ok(false) => refuse(ApiCode::TooLate, "there is no such suppression in force"),
            Err(error) => failed(&error),
        })
    };
    unwrap_response(revoked.await)
}
