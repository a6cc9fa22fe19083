//! A public payout API in today's style: its words are a payout's `status`, or
//! `status:failure_code`, and results come by webhook.

use crate::channels::kinds::backend::SharedBackend;
use crate::channels::kinds::{ChannelSimulator, TradeMessage, TradeStage, psp_api};
use crate::channels::script::rates::ActionRates;
use axum::Router;
use axum::http::HeaderMap;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{SignatureError, sign, verify as verified};

const PSP_SIGNATURE_HEADER: &str = "psp-signature";
const PSP_KEY_ID_HEADER: &str = "psp-key-id";
const KEY_ID_CHARS: usize = 16;

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

    fn notice(&self, said: &TradeMessage) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&psp_api::event(said))
    }

    fn signature(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        let signature = sign(keys.current(), now_s, body);
        vec![(PSP_SIGNATURE_HEADER, format!("t={now_s},v1={signature}"))]
    }

    /// One signature, by the secret that the key id names.
    fn verify(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
        let key_id = header(PSP_KEY_ID_HEADER);
        let (time, v1) = header(PSP_SIGNATURE_HEADER)
            .and_then(|text| text.strip_prefix("t=")?.split_once(",v1="))
            .ok_or(SignatureError::Malformed)?;
        keys.either(|secret| {
            let named = key_id.is_some_and(|id| {
                id.len() == KEY_ID_CHARS && sign(secret, 0, b"key id").starts_with(id)
            });
            if !named {
                return Err(SignatureError::Mismatch);
            }
            verified(secret, now_s, Some(time), Some(v1), body)
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
