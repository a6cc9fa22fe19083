//! NetsUnion-like: the reply tells the result; only a trade in process is told by
//! callback (seed 002 §4.1).

use crate::channels::kinds::backend::SharedBackend;
use crate::channels::kinds::{
    ChannelSimulator, SimulatorKind, TradeMessage, TradeStage, union_json,
};
use crate::channels::script::rates::ActionRates;
use axum::Router;
use axum::http::HeaderMap;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::SignatureError;

pub struct NetsUnionSimulator;

impl ChannelSimulator for NetsUnionSimulator {
    fn accepted(&self) -> &'static str {
        "2001"
    }

    fn refused(&self) -> &'static str {
        "1001"
    }

    fn declined_here(&self) -> &'static str {
        self.result(TradeStage::NotHere)
    }

    /// Nothing about the result.
    fn duplicate(&self, _now: TradeStage) -> &'static str {
        "9002"
    }

    fn conflict(&self) -> &'static str {
        "1003"
    }

    fn no_such_trade(&self) -> &'static str {
        "9001"
    }

    fn unlisted(&self, code: &str, _pays: bool) -> String {
        code.to_owned()
    }

    fn result(&self, stage: TradeStage) -> &'static str {
        match stage {
            TradeStage::InProcess => "2001",
            TradeStage::Paid => "0000",
            // This channel has no word for a return; scripts can't ask for one.
            TradeStage::Failed | TradeStage::Returned => "1001",
            TradeStage::NotHere => "1005",
        }
    }

    fn pays_at_once(&self) -> bool {
        true
    }

    /// A callback follows only what was answered as in process.
    fn calls_back_unasked(&self) -> bool {
        false
    }

    fn returns(&self) -> bool {
        false
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
        union_json::routes(SimulatorKind::NetsUnion)
    }

    fn bad_day(&self) -> ActionRates {
        ActionRates {
            delay: 20,
            timeout_after_paying: 3,
            timeout_without_paying: 3,
            unknown_code: 4,
            http_500_after_paying: 2,
            in_process_then_notify: 20,
            fail: 5,
            ms: Some(300),
            hold_ms: Some(1_500),
            ..ActionRates::default()
        }
    }
}
