//! The two unions' common simulator: one wire, and each one's words and manners as data.

use crate::channels::kinds::backend::SharedBackend;
use crate::channels::kinds::{
    ChannelSimulator, SimulatorKind, TradeMessage, TradeStage, union_json,
};
use crate::channels::script::bend::EchoedField;
use crate::channels::script::rates::ActionRates;
use axum::Router;
use axum::http::HeaderMap;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{
    MessageScope, NONCE_HEADER, SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER,
};

/// One union's codes and manners; what each means is the trait's word.
pub struct UnionSimulator {
    pub kind: SimulatorKind,
    pub accepted: &'static str,
    pub refused: &'static str,
    pub declined_here: &'static str,
    pub duplicate: &'static str,
    pub conflict: &'static str,
    pub no_such_trade: &'static str,
    pub in_process: &'static str,
    pub paid: &'static str,
    pub failed: &'static str,
    pub not_here: &'static str,
    /// `None`: there is no word for a return, and scripts can't ask for one.
    pub returned: Option<&'static str>,
    pub pays_at_once: bool,
    pub calls_back_unasked: bool,
    pub bad_day: fn() -> ActionRates,
}

impl ChannelSimulator for UnionSimulator {
    fn accepted(&self) -> &'static str {
        self.accepted
    }

    fn refused(&self) -> &'static str {
        self.refused
    }

    fn declined_here(&self) -> &'static str {
        self.declined_here
    }

    /// Nothing about the result.
    fn duplicate(&self, _now: TradeStage) -> &'static str {
        self.duplicate
    }

    fn conflict(&self) -> &'static str {
        self.conflict
    }

    fn no_such_trade(&self) -> &'static str {
        self.no_such_trade
    }

    fn unlisted(&self, code: &str, _pays: bool) -> String {
        code.to_owned()
    }

    fn result(&self, stage: TradeStage) -> &'static str {
        match stage {
            TradeStage::InProcess => self.in_process,
            TradeStage::Paid => self.paid,
            TradeStage::Failed => self.failed,
            TradeStage::NotHere => self.not_here,
            TradeStage::Returned => self.returned.unwrap_or(self.failed),
        }
    }

    fn pays_at_once(&self) -> bool {
        self.pays_at_once
    }

    fn calls_back_unasked(&self) -> bool {
        self.calls_back_unasked
    }

    fn returns(&self) -> bool {
        self.returned.is_some()
    }

    fn base_path(&self) -> &'static str {
        ""
    }

    fn field(&self, field: EchoedField) -> &'static str {
        match field {
            EchoedField::SerialNo => "serialNo",
            EchoedField::TradeTime => "tradeTime",
            EchoedField::Currency => "currency",
            EchoedField::Amount => "amount",
            EchoedField::Payee => "toAccount",
        }
    }

    fn notice(&self, said: &TradeMessage) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&union_json::reply(self, said)?)
    }

    fn signature(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        scope: MessageScope<'_>,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        vec![
            (SIGNATURE_HEADER, scope.sign(keys.current(), now_s, body)),
            (TIMESTAMP_HEADER, now_s.to_string()),
            (NONCE_HEADER, scope.nonce.to_owned()),
        ]
    }

    fn nonce<'h>(&self, headers: &'h HeaderMap) -> &'h str {
        header(headers, NONCE_HEADER).unwrap_or_default()
    }

    fn verify(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        headers: &HeaderMap,
        scope: MessageScope<'_>,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let time = header(headers, TIMESTAMP_HEADER);
        let signature = header(headers, SIGNATURE_HEADER);
        keys.either(|secret| scope.verify(secret, now_s, time, signature, body))
    }

    fn routes(&self) -> Router<SharedBackend> {
        union_json::routes(self.kind)
    }

    fn bad_day(&self) -> ActionRates {
        (self.bad_day)()
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
