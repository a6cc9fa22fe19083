//! The payout API's HTTP: amounts in minor units, an idempotency key that is remembered
//! for one date of `created`, payouts as JSON.

use crate::channels::kinds::backend::{SharedBackend, SimulatedReply};
use crate::channels::kinds::reply::{is_identity, signed_json, unclear};
use crate::channels::kinds::{SimulatorKind, TradeMessage};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::money::{Currency, minor_units, of_minor_units};
use sluice_contract::wire::ChannelPay;

const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

#[derive(Deserialize)]
struct SimulatedPayoutRequest {
    reference: String,
    /// Minor units.
    amount: i64,
    currency: Currency,
    destination: SimulatedDestination,
    /// `YYYYMMDDhhmmss`.
    created: String,
}

#[derive(Deserialize)]
struct SimulatedDestination {
    account: String,
}

#[derive(Deserialize)]
struct PayoutDateQuery {
    #[serde(default)]
    date: String,
}

pub(super) fn routes() -> Router<SharedBackend> {
    Router::new()
        .route("/psp/v1/payouts", post(pay))
        .route("/psp/v1/payouts/by-reference/{reference}", get(query))
}

/// A webhook's body.
pub(super) fn event(said: &TradeMessage) -> Value {
    let data = payout(said);
    let status = data["status"].as_str().unwrap_or_default();
    json!({ "id": format!("evt_{}_{status}", said.pay.serial_no), "type": format!("payout.{status}"), "data": data })
}

async fn pay(State(backend): State<SharedBackend>, headers: HeaderMap, body: Bytes) -> Response {
    let refuse = |status, code: &str| refusal(&backend, status, code, "");
    if !is_signed(&backend, &headers, &body) {
        return refuse(StatusCode::UNAUTHORIZED, "bad_signature");
    }
    let Ok(asked) = serde_json::from_slice::<SimulatedPayoutRequest>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "bad_request");
    };
    let keyed = headers
        .get(IDEMPOTENCY_KEY_HEADER)
        .is_some_and(|key| key.as_bytes() == asked.reference.as_bytes());
    if !keyed || asked.amount <= 0 || !is_identity(&asked.reference, &asked.created) {
        return refuse(StatusCode::BAD_REQUEST, "bad_request");
    }
    match backend.pay(SimulatorKind::Psp, asked.into_pay()).await {
        Ok(SimulatedReply::Reply(said)) => shown(&backend, StatusCode::CREATED, &payout(&said)),
        Ok(SimulatedReply::Again(said)) => again(&backend, &said),
        Ok(bad @ (SimulatedReply::Hold(_) | SimulatedReply::Http500 | SimulatedReply::Junk)) => {
            unclear(&backend, SimulatorKind::Psp, bad).await
        }
        Err(error) => {
            tracing::error!(channel = %SimulatorKind::Psp, "{error:#}");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal_error")
        }
    }
}

async fn query(
    State(backend): State<SharedBackend>,
    Path(reference): Path<String>,
    Query(dated): Query<PayoutDateQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    // Signed as the caller sees it: below the base URL.
    let path = uri
        .path_and_query()
        .map_or("", |p| p.as_str())
        .trim_start_matches(SimulatorKind::Psp.simulator().base_path());
    if !is_signed(&backend, &headers, path.as_bytes()) {
        return refusal(&backend, StatusCode::UNAUTHORIZED, "bad_signature", "");
    }
    match backend.query(SimulatorKind::Psp, &reference, &dated.date) {
        Some(said) => shown(&backend, StatusCode::OK, &payout(&said)),
        None => {
            let code = SimulatorKind::Psp.simulator().no_such_trade();
            refusal(&backend, StatusCode::NOT_FOUND, code, &reference)
        }
    }
}

impl SimulatedPayoutRequest {
    fn into_pay(self) -> ChannelPay {
        ChannelPay {
            serial_no: self.reference,
            trade_time: self.created,
            to_account: self.destination.account,
            amount: of_minor_units(self.amount, self.currency),
            currency: self.currency.code().to_owned(),
        }
    }
}

/// Answers a known key: the payout as it is, or that it was another request's.
fn again(backend: &SharedBackend, said: &TradeMessage) -> Response {
    if said.code == SimulatorKind::Psp.simulator().conflict() {
        let reference = &said.pay.serial_no;
        refusal(backend, StatusCode::CONFLICT, &said.code, reference)
    } else {
        shown(backend, StatusCode::OK, &payout(said))
    }
}

fn is_signed(backend: &SharedBackend, headers: &HeaderMap, text: &[u8]) -> bool {
    let (keys, now_s) = (backend.keys(SimulatorKind::Psp), now_us() / 1_000_000);
    let psp = SimulatorKind::Psp.simulator();
    psp.verify(&keys, now_s, headers, text).is_ok()
}

fn shown(backend: &SharedBackend, status: StatusCode, body: &Value) -> Response {
    signed_json(backend, SimulatorKind::Psp, status, body)
}

fn refusal(backend: &SharedBackend, status: StatusCode, code: &str, reference: &str) -> Response {
    let body = json!({ "error": { "code": code, "reference": reference } });
    shown(backend, status, &body)
}

fn payout(said: &TradeMessage) -> Value {
    let (status, failure) = said
        .code
        .split_once(':')
        .map_or((said.code.as_str(), None), |(s, f)| (s, Some(f)));
    let pay = &said.pay;
    let currency = pay.currency.parse::<Currency>().ok();
    json!({
        "id": format!("po_{}_{}", pay.serial_no, pay.trade_time.get(..8).unwrap_or_default()),
        "reference": pay.serial_no,
        "status": status,
        "failure_code": failure,
        // It came in as minor units, so it is a whole number of them.
        "amount": currency.and_then(|c| minor_units(pay.amount, c)),
        "currency": pay.currency,
        "destination": { "account": pay.to_account },
    })
}
