//! UnionPay-like: the reply only accepts, a callback tells the result, and a success may
//! be returned later (seed 002 §4.3).

use crate::channels::kinds::backend::SharedBackend;
use crate::channels::kinds::{
    ChannelSimulator, SimulatorKind, TradeMessage, TradeStage, union_json,
};
use crate::channels::script::rates::ActionRates;
use axum::Router;
use axum::http::HeaderMap;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::SignatureError;

pub struct UnionPaySimulator;

impl ChannelSimulator for UnionPaySimulator {
    fn accepted(&self) -> &'static str {
        "00"
    }

    fn refused(&self) -> &'static str {
        "11"
    }

    fn declined_here(&self) -> &'static str {
        "15"
    }

    /// Nothing about the result.
    fn duplicate(&self, _now: TradeStage) -> &'static str {
        "03"
    }

    fn conflict(&self) -> &'static str {
        "12"
    }

    fn no_such_trade(&self) -> &'static str {
        "34"
    }

    fn unlisted(&self, code: &str, _pays: bool) -> String {
        code.to_owned()
    }

    fn result(&self, stage: TradeStage) -> &'static str {
        match stage {
            TradeStage::InProcess => "05",
            TradeStage::Paid => "00S",
            TradeStage::Failed => "00F",
            TradeStage::NotHere => "00N",
            TradeStage::Returned => "00R",
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
        ""
    }

    fn notice(&self, said: &TradeMessage) -> serde_json::Result<Vec<u8>> {
        union_json::notice(said)
    }

    fn signature(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        union_json::signature(keys, now_s, body)
    }

    fn verify(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        union_json::verify(keys, now_s, headers, body)
    }

    fn routes(&self) -> Router<SharedBackend> {
        union_json::routes(SimulatorKind::UnionPay)
    }

    fn bad_day(&self) -> ActionRates {
        ActionRates {
            late_callback: 20,
            duplicate_callback: 20,
            callback_before_reply: 20,
            no_callback: 3,
            return_after_success: 4,
            fail_later: 5,
            timeout_after_paying: 2,
            ms: Some(300),
            hold_ms: Some(1_500),
            ..ActionRates::default()
        }
    }
}
