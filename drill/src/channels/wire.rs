//! How the channels write what they say, and sign it. Written apart from the core's
//! reading of it, so that a mistake there meets another opinion here.

use crate::channels::kind::SimulatorKind;
use crate::channels::psp;
use axum::http::HeaderMap;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{
    SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER, sign, verify as verified,
};
use sluice_contract::wire::{ChannelPay, ChannelReply};
use std::sync::Arc;

/// One word of a channel about one trade.
#[derive(Debug, Clone)]
pub(super) struct TradeMessage {
    pub pay: Arc<ChannelPay>,
    pub code: String,
}

/// As the two unions write it.
pub(super) fn reply(said: &TradeMessage) -> ChannelReply {
    ChannelReply {
        serial_no: said.pay.serial_no.clone(),
        trade_time: said.pay.trade_time.clone(),
        code: said.code.clone(),
        message: String::new(),
        amount: Some(said.pay.amount),
        to_account: Some(said.pay.to_account.clone()),
    }
}

/// The body of a callback.
pub(super) fn notice(kind: SimulatorKind, said: &TradeMessage) -> serde_json::Result<Vec<u8>> {
    match kind {
        SimulatorKind::NetsUnion | SimulatorKind::UnionPay => serde_json::to_vec(&reply(said)),
        SimulatorKind::Psp => serde_json::to_vec(&psp::event(said)),
    }
}

/// The headers that sign `body`.
pub(super) fn signature(
    kind: SimulatorKind,
    keys: &SigningKeys,
    now_s: i64,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    let signature = sign(keys.current(), now_s, body);
    match kind {
        SimulatorKind::NetsUnion | SimulatorKind::UnionPay => {
            vec![
                (SIGNATURE_HEADER, signature),
                (TIMESTAMP_HEADER, now_s.to_string()),
            ]
        }
        SimulatorKind::Psp => vec![(
            psp::PSP_SIGNATURE_HEADER,
            format!("t={now_s},v1={signature}"),
        )],
    }
}

pub(super) fn verify(
    kind: SimulatorKind,
    keys: &SigningKeys,
    now_s: i64,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), SignatureError> {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
    if kind == SimulatorKind::Psp {
        return psp::verify(
            keys,
            now_s,
            header(psp::PSP_SIGNATURE_HEADER),
            header(psp::PSP_KEY_ID_HEADER),
            body,
        );
    }
    let (time, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
    keys.either(|secret| verified(secret, now_s, time, signature, body))
}
