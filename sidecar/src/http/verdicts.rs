//! Verdicts over HTTP.

use crate::http::MAX_ROWS_PER_ANSWER;
use crate::http::answers::{answer, failed, refuse, unavailable};
use crate::http::verdict_explanation::explain;
use crate::leader::guard_db::GuardDb;
use crate::rules::RuleSeverity;
use crate::verdicts::life::VerdictLife;
use crate::verdicts::repo::{self, VerdictFilter};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use sluice_contract::wire::ApiCode;

#[derive(Deserialize)]
pub(super) struct VerdictPageQuery {
    #[serde(default)]
    after_us: i64,
    /// Id of the last verdict of the page before, if others were found at the same moment.
    after_id: Option<String>,
    /// `open`, `answered`, `shadow` or `before`.
    life: Option<VerdictLife>,
    rule: Option<String>,
    account: Option<String>,
    severity: Option<RuleSeverity>,
    #[serde(default = "default_limit")]
    limit: u32,
}

/// Above every id.
const LAST_ID: &str = "~";

fn default_limit() -> u32 {
    100
}

/// Answers a page of verdicts, oldest first.
pub(super) async fn list_verdicts(
    State(db): State<GuardDb>,
    page: Result<Query<VerdictPageQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(page)) = page else {
        let next = "after_us and limit are whole numbers; life is open, answered, shadow or before; \
                    severity is minor, major or critical";
        return refuse(ApiCode::BadField, next);
    };
    let filter = VerdictFilter {
        after: (
            page.after_us,
            page.after_id.unwrap_or_else(|| LAST_ID.to_owned()),
        ),
        life: page.life.map(VerdictLife::as_str),
        rule: page.rule,
        account: page.account,
        severity: page.severity.map(RuleSeverity::as_str),
    };
    let listed = async {
        let mut conn = db.conn().await?;
        repo::list(
            &mut conn,
            &db.schemas,
            &filter,
            page.limit.clamp(1, MAX_ROWS_PER_ANSWER),
        )
        .await
    };
    listed
        .await
        .map_or_else(|error| unavailable(&error), answer)
}

/// Answers one verdict with its explanation.
pub(super) async fn one_verdict(State(db): State<GuardDb>, Path(id): Path<String>) -> Response {
    match explain(&db, &id).await {
        Ok(Some(explained)) => answer(explained),
        Ok(None) => refuse(
            ApiCode::UnknownVerdict,
            "there is no verdict of this id: see GET /verdicts",
        ),
        Err(error) => failed(&error),
    }
}
