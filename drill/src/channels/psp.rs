//! A public payout API in today's style: amounts in minor units, an idempotency key
//! that is remembered for one date of `created`, results by webhook.

use crate::channels::http::{is_identity, signed_json, unclear};
use crate::channels::kind::SimulatorKind;
use crate::channels::server::{SimulatedReply, SimulatorServer};
use crate::channels::wire::{self, TradeMessage};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::keys::SigningKeys;
use sluice_contract::money::{Currency, minor_units, of_minor_units};
use sluice_contract::signing::{SignatureError, sign, verify as verified};
use sluice_contract::wire::ChannelPay;

pub(super) const PSP_SIGNATURE_HEADER: &str = "psp-signature";
pub(super) const PSP_KEY_ID_HEADER: &str = "psp-key-id";
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
pub(super) struct PayoutDateQuery {
    #[serde(default)]
    date: String,
}

pub(super) async fn pay(
    State(simulator): State<SimulatorServer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let refuse = |status, code: &str| refusal(&simulator, status, code, "");
    if wire::verify(
        SimulatorKind::Psp,
        &simulator.keys(SimulatorKind::Psp),
        now_us() / 1_000_000,
        &headers,
        &body,
    )
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
    let pay = ChannelPay {
        serial_no: asked.reference,
        trade_time: asked.created,
        to_account: asked.destination.account,
        amount: of_minor_units(asked.amount, asked.currency),
        currency: asked.currency.code().to_owned(),
    };
    match simulator.pay(SimulatorKind::Psp, pay).await {
        Ok(SimulatedReply::Reply(said)) => signed_json(
            &simulator,
            SimulatorKind::Psp,
            StatusCode::CREATED,
            &payout(&said),
        ),
        Ok(SimulatedReply::Again(said)) if said.code == SimulatorKind::Psp.conflict() => refusal(
            &simulator,
            StatusCode::CONFLICT,
            &said.code,
            &said.pay.serial_no,
        ),
        Ok(SimulatedReply::Again(said)) => signed_json(
            &simulator,
            SimulatorKind::Psp,
            StatusCode::OK,
            &payout(&said),
        ),
        Ok(other) => unclear(&simulator, SimulatorKind::Psp, other).await,
        Err(error) => {
            tracing::error!(channel = %SimulatorKind::Psp, "{error:#}");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal_error")
        }
    }
}

pub(super) async fn query(
    State(simulator): State<SimulatorServer>,
    Path(reference): Path<String>,
    Query(dated): Query<PayoutDateQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    // Signed as the caller sees it: below the base URL.
    let path = uri
        .path_and_query()
        .map_or("", |p| p.as_str())
        .trim_start_matches("/psp");
    let keys = simulator.keys(SimulatorKind::Psp);
    if wire::verify(
        SimulatorKind::Psp,
        &keys,
        now_us() / 1_000_000,
        &headers,
        path.as_bytes(),
    )
    .is_err()
    {
        return refusal(&simulator, StatusCode::UNAUTHORIZED, "bad_signature", "");
    }
    match simulator.query(SimulatorKind::Psp, &reference, &dated.date) {
        Some(said) => signed_json(
            &simulator,
            SimulatorKind::Psp,
            StatusCode::OK,
            &payout(&said),
        ),
        None => refusal(
            &simulator,
            StatusCode::NOT_FOUND,
            SimulatorKind::Psp.no_such_trade(),
            &reference,
        ),
    }
}

fn refusal(
    simulator: &SimulatorServer,
    status: StatusCode,
    code: &str,
    reference: &str,
) -> Response {
    signed_json(
        simulator,
        SimulatorKind::Psp,
        status,
        &json!({ "error": { "code": code, "reference": reference } }),
    )
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

/// A webhook.
pub(super) fn event(said: &TradeMessage) -> Value {
    let data = payout(said);
    let status = data["status"].as_str().unwrap_or_default();
    json!({ "id": format!("evt_{}_{status}", said.pay.serial_no), "type": format!("payout.{status}"), "data": data })
}

/// One signature by the secret that the key id names.
pub(super) fn verify(
    keys: &SigningKeys,
    now_s: i64,
    signature: Option<&str>,
    key_id: Option<&str>,
    body: &[u8],
) -> Result<(), SignatureError> {
    let (time, v1) = signature
        .and_then(|text| text.strip_prefix("t=")?.split_once(",v1="))
        .ok_or(SignatureError::Malformed)?;
    keys.either(|secret| {
        let named =
            key_id.is_some_and(|id| id.len() == 16 && sign(secret, 0, b"key id").starts_with(id));
        if !named {
            return Err(SignatureError::Mismatch);
        }
        verified(secret, now_s, Some(time), Some(v1), body)
    })
}
