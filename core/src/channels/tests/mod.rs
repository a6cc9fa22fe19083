//! Channels' words, as tables over all adapters: a word that isn't listed proves nothing,
//! and nothing but a listed word ever does.

mod bent_messages;
mod followed;
mod listed_words;
mod other_words;
mod psp;
mod psp_signature;
mod requests;
mod secrets;
mod transport;

use super::*;
use crate::config::{ChannelDecimals, ChannelId};
use crate::orders::Order;
use crate::orders::sample;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::keys::SigningKeys;
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::settings::Secret;
use sluice_contract::signing::{
    MessageDirection, MessageScope, NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, callback_path,
};
use std::sync::Arc;

pub(super) const SERIAL_NO: &str = "0190A1B2C3D4E5F60718293A4B5C6D7E";
pub(super) const TRADE_TIME: &str = "20261122023000";
/// Of the call that replies in these tests answer.
pub(super) const NONCE: &str = "00112233445566778899aabbccddeeff";
pub(super) const NOW_S: i64 = 1_795_285_800;

/// The channel of this id.
pub(super) fn channel(id: &str) -> ChannelId {
    id.parse().unwrap()
}

pub(super) fn keys() -> SigningKeys {
    SigningKeys::new(Secret::new("the-secret-in-force"), None)
}

pub(super) fn order(amount: &str, currency: &str) -> Order {
    Order {
        account_id: "A".into(),
        order_id: SERIAL_NO.to_lowercase(),
        amount: Decimal::from_str_exact(amount).unwrap(),
        currency: currency.parse().unwrap(),
        state: OrderState::Dispatching,
        serial_no: SERIAL_NO.into(),
        trade_time: Some(TRADE_TIME.into()),
        attempts: 1,
        version: 2,
        ..sample(OrderKind::CashOut)
    }
}

/// The adapter of this channel, with the decimals that it documents.
pub(super) fn adapter(id: ChannelId) -> Box<dyn ChannelAdapter> {
    let decimals = ChannelDecimals::new(id, &Default::default(), None);
    crate::channels::adapter(id, Arc::new(decimals.unwrap()))
}

/// The place of a reply to a call of the sample order.
pub(super) fn reply_scope<'a>(id: &'a str, path: &'a str) -> MessageScope<'a> {
    MessageScope {
        direction: MessageDirection::Reply,
        channel: id,
        path,
        nonce: NONCE,
    }
}

/// The place of a callback.
pub(super) fn callback_scope<'a>(id: &'a str, path: &'a str) -> MessageScope<'a> {
    MessageScope {
        direction: MessageDirection::Callback,
        ..reply_scope(id, path)
    }
}

/// Path of a call about the sample order, as its channel documents it.
pub(super) fn path(id: &str, call: ChannelCall) -> String {
    match (channel(id), call) {
        (ChannelId::Netsunion | ChannelId::Unionpay, ChannelCall::Pay) => format!("/{id}/pay"),
        (ChannelId::Netsunion | ChannelId::Unionpay, ChannelCall::Query) => format!("/{id}/query"),
        (ChannelId::Psp, ChannelCall::Pay) => "/v1/payouts".to_owned(),
        (ChannelId::Psp, ChannelCall::Query) => {
            format!("/v1/payouts/by-reference/{SERIAL_NO}?date=20261122")
        }
    }
}

/// Headers as the channel would sign them.
pub(super) fn signed(scope: MessageScope<'_>, secret: &Secret, at: i64, body: &[u8]) -> HeaderMap {
    let signature = scope.sign(secret, at, body);
    let all = match channel(scope.channel) {
        ChannelId::Psp => vec![(
            "psp-signature",
            format!("t={at},n={},v2={signature}", scope.nonce),
        )],
        ChannelId::Netsunion | ChannelId::Unionpay => vec![
            (SIGNATURE_HEADER, signature),
            (TIMESTAMP_HEADER, at.to_string()),
            (NONCE_HEADER, scope.nonce.to_owned()),
        ],
    };
    let make = |(n, v): (&'static str, String)| {
        (
            HeaderName::from_static(n),
            HeaderValue::from_str(&v).unwrap(),
        )
    };
    all.into_iter().map(make).collect()
}

/// A word of the channel: a code, or for psp `status` or `status:failure_code`.
pub(super) fn body(id: &str, word: &str, serial_no: &str) -> Value {
    if id != "psp" {
        return json!({ "serialNo": serial_no, "tradeTime": TRADE_TIME, "code": word, "amount": "1.25",
                       "currency": "CNY", "toAccount": "payee-1" });
    }
    let (status, failure) = word
        .split_once(':')
        .map_or((word, None), |(s, f)| (s, Some(f)));
    json!({ "id": "po_1", "reference": serial_no, "status": status, "failure_code": failure, "amount": 125,
            "created": TRADE_TIME, "currency": "CNY", "destination": { "account": "payee-1" }, "new_field": [1] })
}

pub(super) fn read(
    id: &str,
    call: ChannelCall,
    status: u16,
    body: &[u8],
) -> anyhow::Result<ChannelResult> {
    let keys = keys();
    let path = path(id, call);
    let headers = signed(reply_scope(id, &path), keys.current(), NOW_S, body);
    let reply = RawReply {
        status,
        headers,
        body: Bytes::copy_from_slice(body),
    };
    adapter(channel(id)).read(
        call,
        &order("1.25", "CNY"),
        NONCE,
        &reply,
        SigningContext {
            keys: &keys,
            now_s: NOW_S,
        },
    )
}

/// Proof of a well-signed 200 with this word; no answer counts as unknown.
pub(super) fn proves(id: &str, call: ChannelCall, word: &str) -> ChannelAnswer {
    let body = body(id, word, SERIAL_NO).to_string();
    read(id, call, 200, body.as_bytes()).map_or(ChannelAnswer::Unknown, |heard| heard.answer)
}

pub(super) fn notified(id: &str, body: &Value) -> Result<ChannelNotification, NotificationError> {
    let (keys, body) = (keys(), body.to_string());
    let path = callback_path(id);
    let scope = callback_scope(id, &path);
    let headers = signed(scope, keys.current(), NOW_S, body.as_bytes());
    adapter(channel(id)).notified(
        &headers,
        body.as_bytes(),
        SigningContext {
            keys: &keys,
            now_s: NOW_S,
        },
    )
}

pub(super) fn notice(id: &str, word: &str) -> Value {
    let data = body(id, word, SERIAL_NO);
    match channel(id) {
        ChannelId::Psp => {
            json!({ "id": "evt_1", "type": format!("payout.{}", data["status"].as_str().unwrap()), "data": data })
        }
        ChannelId::Netsunion | ChannelId::Unionpay => data,
    }
}

/// A word that ends an order, by channel: good and bad.
pub(super) const END_CODES: [(&str, [&str; 2]); 3] = [
    ("netsunion", ["0000", "1001"]),
    ("unionpay", ["00S", "00F"]),
    ("psp", ["paid", "failed:invalid_account"]),
];
