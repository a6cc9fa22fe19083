//! Every field that a channel echoes, bent in every message of every adapter: a
//! contradiction that names the field, and nothing moves.

use crate::channels::{
    ChannelAdapter, ChannelCall, ChannelResult, EchoField, RawReply, SigningContext, adapter,
};
use crate::config::{ChannelDecimals, ChannelId};
use crate::orders::{Order, sample};
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use crate::outcome::tests::{NOW_US, delays};
use reqwest::header::{HeaderMap, HeaderName};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::keys::SigningKeys;
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::settings::Secret;
use sluice_contract::signing::{
    MessageDirection, MessageScope, NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, callback_path,
};
use std::sync::Arc;

const SERIAL_NO: &str = "0190A1B2C3D4E5F60718293A4B5C6D7E";
const TRADE_TIME: &str = "20261122023000";
const NONCE: &str = "00112233445566778899aabbccddeeff";
const NOW_S: i64 = 1_795_285_800;

/// A way in which a channel's word comes to the core.
#[derive(Debug, Clone, Copy, PartialEq)]
enum WayIn {
    PayReply,
    QueryReply,
    Callback,
}

const WAYS: [WayIn; 3] = [WayIn::PayReply, WayIn::QueryReply, WayIn::Callback];

/// FieldDefect of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
enum FieldDefect {
    Differs,
    Missing,
}

/// The word by which each channel says this, in each message. No cell is left out: a new
/// adapter doesn't compile before it has its words.
fn word(id: ChannelId, way: WayIn, paid: bool) -> Option<&'static str> {
    match (id, way, paid) {
        (ChannelId::Netsunion, _, true) => Some("0000"),
        (ChannelId::Netsunion, _, false) => Some("1001"),
        // Its reply only accepts.
        (ChannelId::Unionpay, WayIn::PayReply, true) => None,
        (ChannelId::Unionpay, WayIn::PayReply, false) => Some("11"),
        (ChannelId::Unionpay, _, true) => Some("00S"),
        (ChannelId::Unionpay, _, false) => Some("00F"),
        (ChannelId::Psp, _, true) => Some("paid"),
        (ChannelId::Psp, _, false) => Some("failed"),
    }
}

/// A field's name in the channel's protocol, and another value of the same form.
fn field(id: ChannelId, field: EchoField) -> (&'static str, Value) {
    match (id, field) {
        (ChannelId::Netsunion | ChannelId::Unionpay, EchoField::SerialNo) => {
            ("/serialNo", json!(SERIAL_NO.replace('7', "8")))
        }
        (ChannelId::Netsunion | ChannelId::Unionpay, EchoField::TradeTime) => {
            ("/tradeTime", json!("20261123023000"))
        }
        (ChannelId::Netsunion | ChannelId::Unionpay, EchoField::Currency) => {
            ("/currency", json!("USD"))
        }
        (ChannelId::Netsunion | ChannelId::Unionpay, EchoField::Amount) => {
            ("/amount", json!("1.26"))
        }
        (ChannelId::Netsunion | ChannelId::Unionpay, EchoField::Payee) => {
            ("/toAccount", json!("payee-2"))
        }
        (ChannelId::Psp, EchoField::SerialNo) => ("/reference", json!(SERIAL_NO.replace('7', "8"))),
        (ChannelId::Psp, EchoField::TradeTime) => ("/created", json!("20261123023000")),
        (ChannelId::Psp, EchoField::Currency) => ("/currency", json!("USD")),
        (ChannelId::Psp, EchoField::Amount) => ("/amount", json!(126)),
        (ChannelId::Psp, EchoField::Payee) => ("/destination/account", json!("payee-2")),
    }
}

/// The object that tells of the payment.
fn payment(id: ChannelId, word: &str) -> Value {
    match id {
        ChannelId::Netsunion | ChannelId::Unionpay => {
            json!({ "serialNo": SERIAL_NO, "tradeTime": TRADE_TIME, "code": word, "amount": "1.25",
                    "currency": "CNY", "toAccount": "payee-1" })
        }
        ChannelId::Psp => {
            let failure = (word == "failed").then_some("account_closed");
            json!({ "id": "po", "reference": SERIAL_NO, "created": TRADE_TIME, "status": word,
                    "failure_code": failure, "amount": 125, "currency": "CNY",
                    "destination": { "account": "payee-1" } })
        }
    }
}

fn bent(mut payment: Value, name: &str, other: &Value, bend: FieldDefect) -> Value {
    let at = payment.pointer_mut(name).expect("the protocol has it");
    match bend {
        FieldDefect::Differs => *at = other.clone(),
        FieldDefect::Missing => {
            let (parent, last) = name.rsplit_once('/').unwrap();
            let parent = payment.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().remove(last);
        }
    }
    payment
}

fn order(id: ChannelId, state: OrderState) -> Order {
    Order {
        account_id: "A".into(),
        order_id: "o".into(),
        amount: Decimal::new(12_500, 4),
        currency: "CNY".parse().unwrap(),
        state,
        channel: Some(id.as_str().into()),
        serial_no: SERIAL_NO.into(),
        trade_time: Some(TRADE_TIME.into()),
        attempts: 1,
        sends: 1,
        version: 3,
        due_us: Some(1),
        ..sample(OrderKind::CashOut)
    }
}

fn channel(id: ChannelId) -> Box<dyn ChannelAdapter> {
    let decimals = ChannelDecimals::new(id, &Default::default(), None).unwrap();
    adapter(id, Arc::new(decimals))
}

fn keys() -> SigningKeys {
    SigningKeys::new(Secret::new("the-secret-in-force"), None)
}

fn signed(id: ChannelId, direction: MessageDirection, path: &str, body: &[u8]) -> HeaderMap {
    let scope = MessageScope {
        direction,
        channel: id.as_str(),
        path,
        nonce: NONCE,
    };
    let code = scope.sign(keys().current(), NOW_S, body);
    let all = match id {
        ChannelId::Psp => vec![("psp-signature", format!("t={NOW_S},n={NONCE},v2={code}"))],
        ChannelId::Netsunion | ChannelId::Unionpay => vec![
            (SIGNATURE_HEADER, code),
            (TIMESTAMP_HEADER, NOW_S.to_string()),
            (NONCE_HEADER, NONCE.to_owned()),
        ],
    };
    let make = |(name, value): (_, String)| (HeaderName::from_static(name), value.parse().unwrap());
    all.into_iter().map(make).collect()
}

/// The channel's message as the adapter reads it; an error if it is no word on any order.
fn read_message(id: ChannelId, way: WayIn, payment: Value) -> Result<ChannelResult, String> {
    let (keys, adapter) = (keys(), channel(id));
    let seal = SigningContext {
        keys: &keys,
        now_s: NOW_S,
    };
    let call = match way {
        WayIn::PayReply => ChannelCall::Pay,
        WayIn::QueryReply => ChannelCall::Query,
        WayIn::Callback => {
            let body = match id {
                ChannelId::Netsunion | ChannelId::Unionpay => payment,
                ChannelId::Psp => {
                    let kind = format!("payout.{}", payment["status"].as_str().unwrap());
                    json!({ "id": "evt", "type": kind, "data": payment })
                }
            };
            let body = body.to_string();
            let path = callback_path(id.as_str());
            let headers = signed(id, MessageDirection::Callback, &path, body.as_bytes());
            let read = adapter.notified(&headers, body.as_bytes(), seal);
            return read.map(|n| n.result).map_err(|e| e.to_string());
        }
    };
    let order = order(id, OrderState::Dispatching);
    let path = adapter.message(call, &order, NONCE, seal).unwrap().path;
    let body = payment.to_string();
    let reply = RawReply {
        status: 200,
        headers: signed(id, MessageDirection::Reply, &path, body.as_bytes()),
        body: body.into(),
    };
    let read = adapter.read(call, &order, NONCE, &reply, seal);
    read.map_err(|e| format!("{e:#}"))
}

/// Applies the message to an order in `state`; how it was taken, the state then, and the
/// case's words.
fn applied(
    id: ChannelId,
    result: ChannelResult,
    state: OrderState,
) -> (OutcomeResult, OrderState, String) {
    let order = order(id, state);
    let outcome = OrderOutcome::of_channel(order.at(), id.as_str(), result);
    let all = crate::outcome::apply::apply(&[outcome], vec![order], &delays(), NOW_US);
    let detail = all.cases.first().map(|c| c.detail.clone());
    (
        all.taken[0],
        all.orders["o"].state,
        detail.unwrap_or_default(),
    )
}

#[test]
fn every_bent_field_of_every_message_is_a_contradiction_and_moves_nothing() {
    let mut cells = 0;
    for id in ChannelId::ALL {
        for way in WAYS {
            for word in [true, false]
                .into_iter()
                .filter_map(|paid| word(id, way, paid))
            {
                // The control: the straight message ends the order.
                let straight = read_message(id, way, payment(id, word)).unwrap();
                let (taken, ..) = applied(id, straight, OrderState::Dispatching);
                assert_eq!(taken, OutcomeResult::Moved, "{id:?} {way:?} {word}");
                for echoed in EchoField::ALL {
                    for bend in [FieldDefect::Differs, FieldDefect::Missing] {
                        check_bent(id, way, word, echoed, bend);
                        cells += 1;
                    }
                }
            }
        }
    }
    // Channels × ways × words, less the word that UnionPay's reply hasn't got.
    assert_eq!(cells, (3 * 3 * 2 - 1) * EchoField::ALL.len() * 2);
}

fn check_bent(id: ChannelId, way: WayIn, word: &str, echoed: EchoField, bend: FieldDefect) {
    let (name, other) = field(id, echoed);
    let message = bent(payment(id, word), name, &other, bend);
    let cell = format!("{id:?} {way:?} {word} {echoed:?} {bend:?}");
    let read = read_message(id, way, message);
    // A callback without a serial number names no order: it is refused, and nothing is moved.
    if (way, echoed, bend) == (WayIn::Callback, EchoField::SerialNo, FieldDefect::Missing) {
        let error = read.expect_err(&cell);
        assert!(error.contains("is missing"), "{cell}: {error}");
        return;
    }
    let (taken, state, detail) = applied(id, read.expect(&cell), OrderState::Dispatching);
    assert_eq!(taken, OutcomeResult::Contradiction, "{cell}");
    assert_eq!(state, OrderState::Dispatching, "{cell}");
    assert!(detail.contains(echoed.as_str()), "{cell}: {detail}");
}

#[test]
fn an_end_after_the_other_end_is_a_contradiction_whichever_way_it_comes() {
    for id in ChannelId::ALL {
        for way in WAYS {
            for (paid, state) in [(true, OrderState::Failed), (false, OrderState::Success)] {
                let Some(word) = word(id, way, paid) else {
                    continue;
                };
                let read = read_message(id, way, payment(id, word)).unwrap();
                let (taken, now, detail) = applied(id, read, state);
                assert_eq!(
                    (taken, now),
                    (OutcomeResult::Contradiction, state),
                    "{id:?} {way:?}: {detail}"
                );
            }
        }
    }
}

#[test]
fn a_word_that_proves_nothing_may_leave_fields_out_but_not_bend_them() {
    for id in ChannelId::ALL {
        for way in WAYS {
            let (name, other) = field(id, EchoField::Amount);
            let unlisted = |bend| bent(payment(id, "7777"), name, &other, bend);
            let missing = read_message(id, way, unlisted(FieldDefect::Missing)).unwrap();
            let (taken, state, _) = applied(id, missing, OrderState::Dispatching);
            assert_eq!(
                (taken, state),
                (OutcomeResult::Moved, OrderState::InDoubt),
                "{id:?} {way:?}"
            );
            let differs = read_message(id, way, unlisted(FieldDefect::Differs)).unwrap();
            let (taken, ..) = applied(id, differs, OrderState::Dispatching);
            assert_eq!(taken, OutcomeResult::Contradiction, "{id:?} {way:?}");
        }
    }
}
