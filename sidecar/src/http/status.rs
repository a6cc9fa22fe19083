//! Status of the sidecar and of its audits over HTTP.

use crate::audit::AuditHandle;
use crate::health::Health;
use crate::http::answers::{answer, refuse};
use crate::http::state::OperatorAuth;
use crate::leader::guard_db::GuardDb;
use crate::workflow::promotion_context::PromotionContext;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::wire::ApiCode;

/// Answers how the sidecar is.
pub(super) async fn status(
    State(db): State<GuardDb>,
    State(health): State<Health>,
    State(promotion): State<PromotionContext>,
    State(audit): State<AuditHandle>,
) -> Response {
    let report = health.status.read();
    let lag_us = now_us().saturating_sub(report.heartbeat_us);
    let came_back = report.heartbeat_us > 0;
    answer(json!({
        "instance": &*db.owner,
        "rules": promotion.rules.current().as_ref().map(|r| json!({ "version": r.version(), "hash": r.hash() })),
        "blind": health.blind.causes(),
        "lagUs": came_back.then_some(lag_us),
        "rowChanges": health.metrics.row_changes.get(),
        "transactions": health.metrics.transactions.get(),
        "events": health.metrics.events.get(),
        "deadLetters": health.metrics.dead_letter_count(),
        "state": report,
        "audit": audit.read(),
    }))
}

/// Answers how far audits are.
pub(super) async fn audit(State(audit): State<AuditHandle>) -> Response {
    answer(audit.read())
}

/// Asks for a run over the data at rest, after the one that is under way.
pub(super) async fn ask_audit(
    State(auth): State<OperatorAuth>,
    State(health): State<Health>,
    State(audit): State<AuditHandle>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = auth.require_sidecar_token(&headers) {
        return *refused;
    }
    if health.status.read().role != "active" {
        return refuse(
            ApiCode::Unavailable,
            "this sidecar is a standby: ask the one that holds the lease",
        );
    }
    audit.ask();
    answer(audit.read())
}
