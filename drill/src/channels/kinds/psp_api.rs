//! The payout API's HTTP: amounts in minor units, an idempotency key that is remembered
//! for one date of `created`, payouts as JSON.

use crate::channels::kinds::backend::{SharedBackend, SimulatedReply};
use crate::channels::kinds::reply::{is_identity, signed_json, unclear};
use crate::channels::kinds::request::ChannelRequest;
use crate::channels::kinds::{SimulatorKind, TradeMessage};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_contract::signing::MessageDirection;
use sluice_contract::wire::ChannelPay;

const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

#[derive(Deserialize)]
struct SimulatedPayoutRequest {
    reference: String,
    /// Minor units.
    amount: i64,
    currency: String,
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

async fn pay(
    State(backend): State<SharedBackend>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = ChannelRequest::new(backend, SimulatorKind::Psp, &uri, &headers);
    let refuse = |status, code: &str| refusal(&request, status, code, "");
    if request
        .verify(MessageDirection::Pay, &headers, &body)
        .is_err()
    {
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
    let Some(pay) = asked.into_pay() else {
        return refuse(StatusCode::BAD_REQUEST, "currency_not_supported");
    };
    match request.backend.pay(SimulatorKind::Psp, pay).await {
        Ok(SimulatedReply::Reply(said)) => {
            signed_json(&request, StatusCode::CREATED, &payout(&said))
        }
        Ok(SimulatedReply::Again(said)) => again(&request, &said),
        Ok(bad @ (SimulatedReply::Hold(_) | SimulatedReply::Http500 | SimulatedReply::Junk)) => {
            unclear(&request, bad).await
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
    let request = ChannelRequest::new(backend, SimulatorKind::Psp, &uri, &headers);
    if request
        .verify(MessageDirection::Query, &headers, b"")
        .is_err()
    {
        return refusal(&request, StatusCode::UNAUTHORIZED, "bad_signature", "");
    }
    let found = request
        .backend
        .query(SimulatorKind::Psp, &reference, &dated.date);
    match found {
        Some(said) => signed_json(&request, StatusCode::OK, &payout(&said)),
        None => {
            let code = SimulatorKind::Psp.simulator().no_such_trade();
            refusal(&request, StatusCode::NOT_FOUND, code, &reference)
        }
    }
}

impl SimulatedPayoutRequest {
    /// Reads the amount by the provider's own decimals. `None`: not a currency of its.
    fn into_pay(self) -> Option<ChannelPay> {
        let amount = Decimal::new(self.amount, decimals(&self.currency)?);
        Some(ChannelPay {
            serial_no: self.reference,
            trade_time: self.created,
            to_account: self.destination.account,
            amount,
            currency: self.currency,
        })
    }
}

/// Decimals of this provider's amounts. They differ from ISO 4217 in ISK, CLP, IDR and TWD.
fn decimals(currency: &str) -> Option<u32> {
    match currency {
        "IDR" | "JPY" | "KRW" | "TWD" => Some(0),
        "CLP" | "CNY" | "EUR" | "GBP" | "HKD" | "ISK" | "SGD" | "USD" => Some(2),
        "BHD" | "KWD" => Some(3),
        _ => None,
    }
}

/// Answers a known key: the payout as it is, or that it was another request's.
fn again(request: &ChannelRequest, said: &TradeMessage) -> Response {
    if said.code == SimulatorKind::Psp.simulator().conflict() {
        let reference = &said.pay.serial_no;
        refusal(request, StatusCode::CONFLICT, &said.code, reference)
    } else {
        signed_json(request, StatusCode::OK, &payout(said))
    }
}

fn refusal(request: &ChannelRequest, status: StatusCode, code: &str, reference: &str) -> Response {
    let body = json!({ "error": { "code": code, "reference": reference } });
    signed_json(request, status, &body)
}

fn payout(said: &TradeMessage) -> Value {
    let (status, failure) = said
        .code
        .split_once(':')
        .map_or((said.code.as_str(), None), |(s, f)| (s, Some(f)));
    let pay = &said.pay;
    // It came in as units of these decimals, so it is a whole number of them.
    let mut units = pay.amount;
    units.rescale(decimals(&pay.currency).unwrap_or_default());
    let written = json!({
        "id": format!("po_{}_{}", pay.serial_no, pay.trade_time.get(..8).unwrap_or_default()),
        "reference": pay.serial_no,
        "status": status,
        "failure_code": failure,
        "amount": i64::try_from(units.mantissa()).ok(),
        "currency": pay.currency,
        "destination": { "account": pay.to_account },
        "created": pay.trade_time,
    });
    said.bent(SimulatorKind::Psp.simulator(), written)
}
