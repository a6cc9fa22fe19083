//! A public payout API in today's style: its words are a payout's `status`, or
//! `status:failure_code`, and results come by webhook.

use crate::channels::kinds::backend::SharedBackend;
use crate::channels::kinds::{ChannelSimulator, TradeMessage, TradeStage, psp_api};
use crate::channels::script::bend::EchoedField;
use crate::channels::script::rates::ActionRates;
use axum::Router;
use axum::http::HeaderMap;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{MessageScope, SignatureError, key_id};

const PSP_SIGNATURE_HEADER: &str = "psp-signature";
const PSP_KEY_ID_HEADER: &str = "psp-key-id";

pub struct PspSimulator;

impl ChannelSimulator for PspSimulator {
    fn accepted(&self) -> &'static str {
        "pending"
    }

    fn refused(&self) -> &'static str {
        "failed:invalid_account"
    }

    fn declined_here(&self) -> &'static str {
        self.result(TradeStage::NotHere)
    }

    /// The payout as it is now.
    fn duplicate(&self, now: TradeStage) -> &'static str {
        self.result(now)
    }

    fn conflict(&self) -> &'static str {
        "idempotency_conflict"
    }

    fn no_such_trade(&self) -> &'static str {
        "payout_not_found"
    }

    /// A payout that was not made failed for a cause that the documentation doesn't name.
    fn unlisted(&self, code: &str, pays: bool) -> String {
        if pays {
            code.to_owned()
        } else {
            format!("failed:{code}")
        }
    }

    fn result(&self, stage: TradeStage) -> &'static str {
        match stage {
            TradeStage::InProcess => "pending",
            TradeStage::Paid => "paid",
            TradeStage::Failed => "failed:invalid_account",
            TradeStage::NotHere => "failed:bank_not_supported",
            TradeStage::Returned => "returned",
        }
    }

    fn pays_at_once(&self) -> bool {
        false
    }

    fn calls_back_unasked(&self) -> bool {
        true
    }

    fn returns(&self) -> bool {
        true
    }

    fn base_path(&self) -> &'static str {
        "/psp"
    }

    fn field(&self, field: EchoedField) -> &'static str {
        match field {
            EchoedField::SerialNo => "reference",
            EchoedField::TradeTime => "created",
            EchoedField::Currency => "currency",
            EchoedField::Amount => "amount",
            EchoedField::Payee => "destination.account",
        }
    }

    fn notice(&self, said: &TradeMessage) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&psp_api::event(said))
    }

    fn signature(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        scope: MessageScope<'_>,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        let code = scope.sign(keys.current(), now_s, body);
        let value = format!("t={now_s},n={},v2={code}", scope.nonce);
        vec![(PSP_SIGNATURE_HEADER, value)]
    }

    fn nonce<'h>(&self, headers: &'h HeaderMap) -> &'h str {
        parts(headers).map_or("", |(_, nonce, _)| nonce)
    }

    /// One signature, by the secret that the key id names.
    fn verify(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        headers: &HeaderMap,
        scope: MessageScope<'_>,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let named = header(headers, PSP_KEY_ID_HEADER);
        let (time, _, code) = parts(headers).ok_or(SignatureError::Malformed)?;
        keys.either(|secret| {
            if named != Some(key_id(secret).as_str()) {
                return Err(SignatureError::Mismatch);
            }
            scope.verify(secret, now_s, Some(time), Some(code), body)
        })
    }

    fn routes(&self) -> Router<SharedBackend> {
        psp_api::routes()
    }

    fn bad_day(&self) -> ActionRates {
        ActionRates {
            delay: 20,
            late_callback: 20,
            duplicate_callback: 20,
            unknown_code: 3,
            return_after_success: 4,
            fail: 5,
            ms: Some(300),
            ..ActionRates::default()
        }
    }
}

/// Time, nonce and code of a caller's header.
fn parts(headers: &HeaderMap) -> Option<(&str, &str, &str)> {
    let text = header(headers, PSP_SIGNATURE_HEADER)?;
    let (time, rest) = text.strip_prefix("t=")?.split_once(",n=")?;
    let (nonce, code) = rest.split_once(",v2=")?;
    Some((time, nonce, code))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
