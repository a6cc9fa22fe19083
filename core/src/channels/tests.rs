//! What each adapter makes of answers, as tables over all of them. What isn't
//! listed proves nothing, and nothing but a listed word ever does.

use super::*;
use crate::orders::sample;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::settings::Secret;
use sluice_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};

pub(super) const SERIAL_NO: &str = "0190A1B2C3D4E5F60718293A4B5C6D7E";
const NOW_S: i64 = 1_795_285_800;

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
        trade_time: Some("20261122023000".into()),
        attempts: 1,
        version: 2,
        ..sample(OrderKind::CashOut)
    }
}

/// Headers as the channel would sign them.
fn signed(id: &str, secret: &Secret, at: i64, body: &[u8]) -> HeaderMap {
    let signature = sign(secret, at, body);
    let all = match id {
        "psp" => vec![("psp-signature", format!("t={at},v1={signature}"))],
        _ => vec![
            (SIGNATURE_HEADER, signature),
            (TIMESTAMP_HEADER, at.to_string()),
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
        return json!({ "serialNo": serial_no, "code": word, "amount": "1.25", "toAccount": "payee-1" });
    }
    let (status, failure) = word
        .split_once(':')
        .map_or((word, None), |(s, f)| (s, Some(f)));
    json!({ "id": "po_1", "reference": serial_no, "status": status, "failure_code": failure, "amount": 125,
            "currency": "CNY", "destination": { "account": "payee-1" }, "new_field": [1] })
}

fn read(id: &str, call: ChannelCall, status: u16, body: &[u8]) -> anyhow::Result<ChannelResult> {
    let keys = keys();
    let headers = signed(id, keys.current(), NOW_S, body);
    let reply = RawReply {
        status,
        headers,
        body: Bytes::copy_from_slice(body),
    };
    adapter(id)?.read(
        call,
        &order("1.25", "CNY"),
        &reply,
        SigningContext {
            keys: &keys,
            now_s: NOW_S,
        },
    )
}

/// What a well-signed 200 with this word proves; no answer counts as unknown.
fn proves(id: &str, call: ChannelCall, word: &str) -> ChannelAnswer {
    let body = body(id, word, SERIAL_NO).to_string();
    read(id, call, 200, body.as_bytes()).map_or(ChannelAnswer::Unknown, |heard| heard.answer)
}

fn notified(id: &str, body: &Value) -> Result<ChannelNotification, NotificationError> {
    let (keys, body) = (keys(), body.to_string());
    let headers = signed(id, keys.current(), NOW_S, body.as_bytes());
    adapter(id).unwrap().notified(
        &headers,
        body.as_bytes(),
        SigningContext {
            keys: &keys,
            now_s: NOW_S,
        },
    )
}

fn notice(id: &str, word: &str) -> Value {
    let data = body(id, word, SERIAL_NO);
    match id {
        "psp" => {
            json!({ "id": "evt_1", "type": format!("payout.{}", data["status"].as_str().unwrap()), "data": data })
        }
        _ => data,
    }
}

/// Every listed word: on pay, on query, as a notification.
const LISTED_ANSWERS: &[(&str, &str, ChannelAnswer, ChannelAnswer, ChannelAnswer)] = {
    use crate::channels::ChannelAnswer::*;
    &[
        ("netsunion", "0000", Succeeded, Succeeded, Succeeded),
        ("netsunion", "1001", Declined, Declined, Declined),
        ("netsunion", "1002", Declined, Declined, Declined),
        ("netsunion", "1003", Unknown, Unknown, Unknown),
        ("netsunion", "1005", NotHere, NotHere, NotHere),
        ("netsunion", "2001", Accepted, Accepted, Unknown),
        ("netsunion", "9001", Unknown, NoSuchTrade, Unknown),
        ("netsunion", "9002", Duplicate, Unknown, Unknown),
        ("unionpay", "00", Accepted, Unknown, Unknown),
        ("unionpay", "03", Duplicate, Unknown, Unknown),
        ("unionpay", "05", Unknown, Accepted, Unknown),
        ("unionpay", "11", Declined, Unknown, Unknown),
        ("unionpay", "12", Unknown, Unknown, Unknown),
        ("unionpay", "15", NotHere, Unknown, Unknown),
        ("unionpay", "00N", Unknown, NotHere, NotHere),
        ("unionpay", "34", Unknown, NoSuchTrade, Unknown),
        ("unionpay", "00S", Unknown, Succeeded, Succeeded),
        ("unionpay", "00F", Unknown, Declined, Declined),
        ("unionpay", "00R", Unknown, Returned, Returned),
        ("psp", "pending", Accepted, Accepted, Unknown),
        ("psp", "paid", Succeeded, Succeeded, Succeeded),
        ("psp", "returned", Returned, Returned, Returned),
        (
            "psp",
            "failed:bank_not_supported",
            NotHere,
            NotHere,
            NotHere,
        ),
        ("psp", "failed:account_closed", Declined, Declined, Declined),
        (
            "psp",
            "failed:invalid_account",
            Declined,
            Declined,
            Declined,
        ),
        (
            "psp",
            "failed:account_blocked",
            Declined,
            Declined,
            Declined,
        ),
        ("psp", "failed:payee_refused", Declined, Declined, Declined),
    ]
};

#[test]
fn listed_words_prove_what_their_table_says() {
    for (id, word, on_pay, on_query, on_notify) in LISTED_ANSWERS {
        assert_eq!(proves(id, ChannelCall::Pay, word), *on_pay, "{id} {word}");
        assert_eq!(
            proves(id, ChannelCall::Query, word),
            *on_query,
            "{id} {word}"
        );
        let told = notified(id, &notice(id, word)).unwrap();
        assert_eq!(
            (told.heard.answer, told.serial_no.as_str()),
            (*on_notify, SERIAL_NO),
            "{id} {word}"
        );
    }
}

#[test]
fn what_is_not_listed_proves_nothing() {
    let numbers = (0..10_000)
        .map(|n| format!("{n:04}"))
        .chain((0..100).map(|n| format!("{n:02}")));
    let words = [
        "",
        "null",
        "OK",
        "SIG",
        "success",
        "FAILED",
        "failed",
        "Paid",
        " 0000",
        "0000 ",
        "00s",
        "paid:late",
    ];
    let failures = [
        "insufficient_funds",
        "timeout",
        "internal_error",
        "account_closed ",
        "",
        "unknown",
    ];
    let failures = failures.iter().map(|f| format!("failed:{f}"));
    let all: Vec<String> = numbers
        .chain(words.map(String::from))
        .chain(failures)
        .collect();
    for id in KNOWN_CHANNELS {
        for word in all.iter().filter(|w| {
            !LISTED_ANSWERS
                .iter()
                .any(|l| l.0 == id && l.1 == w.as_str())
        }) {
            assert_eq!(
                proves(id, ChannelCall::Pay, word),
                ChannelAnswer::Unknown,
                "{id} {word}"
            );
            assert_eq!(
                proves(id, ChannelCall::Query, word),
                ChannelAnswer::Unknown,
                "{id} {word}"
            );
            let told =
                notified(id, &notice(id, word)).map_or(ChannelAnswer::Unknown, |n| n.heard.answer);
            assert_eq!(told, ChannelAnswer::Unknown, "{id} {word}");
        }
    }
}

/// A word that ends an order, by channel: good and bad.
const END_CODES: [(&str, [&str; 2]); 3] = [
    ("netsunion", ["0000", "1001"]),
    ("unionpay", ["00S", "00F"]),
    ("psp", ["paid", "failed:invalid_account"]),
];

#[test]
fn no_status_but_success_proves_anything_whatever_its_body_says() {
    for (id, words) in END_CODES {
        for word in words {
            let body = body(id, word, SERIAL_NO).to_string();
            for status in (100..200).chain(300..600) {
                for call in [ChannelCall::Pay, ChannelCall::Query] {
                    let heard = read(id, call, status, body.as_bytes());
                    assert!(heard.is_err(), "{id} {status} {call:?} {word}: {heard:?}");
                }
            }
        }
    }
}

#[test]
fn only_the_channels_own_word_about_this_order_counts() {
    for (id, [good, bad]) in END_CODES {
        for word in [good, bad] {
            let text = body(id, word, SERIAL_NO).to_string();
            assert_ne!(
                proves(id, ChannelCall::Query, word),
                ChannelAnswer::Unknown,
                "the control: {id} {word}"
            );
            let other = body(id, word, &SERIAL_NO.replace('0', "1")).to_string();
            let torn = &text[..text.len() - 1];
            let empty = body(id, word, "").to_string();
            for junk in [
                "",
                "{}",
                "[]",
                "null",
                "<html>It works!</html>",
                torn,
                &other,
                &empty,
                "\u{0}",
            ] {
                for call in [ChannelCall::Pay, ChannelCall::Query] {
                    assert!(
                        read(id, call, 200, junk.as_bytes()).is_err(),
                        "{id} {call:?} {junk:?}"
                    );
                }
            }
            let (own, foreign) = (keys(), Secret::new("of-somebody-else-here"));
            let good = signed(id, own.current(), NOW_S, text.as_bytes());
            let seal = |now_s| SigningContext { keys: &own, now_s };
            let heard = |headers: &HeaderMap, now_s| {
                let reply = RawReply {
                    status: 200,
                    headers: headers.clone(),
                    body: text.clone().into(),
                };
                adapter(id)
                    .unwrap()
                    .read(
                        ChannelCall::Query,
                        &order("1.25", "CNY"),
                        &reply,
                        seal(now_s),
                    )
                    .is_ok()
            };
            assert!(heard(&good, NOW_S + 300));
            for (headers, now_s) in [
                (HeaderMap::new(), NOW_S),
                (signed(id, &foreign, NOW_S, text.as_bytes()), NOW_S),
                (signed(id, own.current(), NOW_S, b"another body"), NOW_S),
                (good.clone(), NOW_S + 301),
                (good.clone(), NOW_S - 301),
            ] {
                assert!(!heard(&headers, now_s), "{id} {headers:?} {now_s}");
                let told = adapter(id)
                    .unwrap()
                    .notified(&headers, text.as_bytes(), seal(now_s));
                assert!(
                    matches!(told, Err(NotificationError::Signature { .. })),
                    "{id} {headers:?}"
                );
            }
        }
    }
}

#[test]
fn either_of_two_secrets_verifies_and_the_first_signs() {
    let (first, second) = (
        Secret::new("the-first-secret-of-two"),
        Secret::new("the-second-secret-of-two"),
    );
    let both = SigningKeys::new(first.clone(), Some(second.clone()));
    for (id, [good, _]) in END_CODES {
        let text = body(id, good, SERIAL_NO).to_string();
        for secret in [&first, &second] {
            let reply = RawReply {
                status: 200,
                headers: signed(id, secret, NOW_S, text.as_bytes()),
                body: text.clone().into(),
            };
            let heard = adapter(id).unwrap().read(
                ChannelCall::Query,
                &order("1.25", "CNY"),
                &reply,
                SigningContext {
                    keys: &both,
                    now_s: NOW_S,
                },
            );
            assert_eq!(heard.unwrap().answer, ChannelAnswer::Succeeded, "{id}");
        }
        let message = |keys: &SigningKeys| {
            let seal = SigningContext { keys, now_s: NOW_S };
            adapter(id)
                .unwrap()
                .message(ChannelCall::Pay, &order("1.25", "CNY"), seal)
                .unwrap()
                .headers
        };
        assert_eq!(
            message(&both),
            message(&SigningKeys::new(first.clone(), None)),
            "{id}"
        );
        assert_ne!(
            message(&both),
            message(&SigningKeys::new(second.clone(), None)),
            "{id}"
        );
    }
}

#[test]
fn a_request_holds_the_stored_identity_whatever_the_time() {
    let keys = keys();
    for id in KNOWN_CHANNELS {
        for call in [ChannelCall::Pay, ChannelCall::Query] {
            let at = |now_s| {
                adapter(id).unwrap().message(
                    call,
                    &order("1.25", "CNY"),
                    SigningContext { keys: &keys, now_s },
                )
            };
            let (first, late) = (at(NOW_S).unwrap(), at(NOW_S + 86_400).unwrap());
            assert_eq!(
                (&first.path, &first.body),
                (&late.path, &late.body),
                "{id} {call:?}"
            );
            let text = format!("{}{}", first.path, String::from_utf8_lossy(&first.body));
            assert!(
                text.contains(SERIAL_NO) && text.contains("20261122"),
                "{id} {text}"
            );
        }
        let unclaimed = Order {
            trade_time: None,
            ..order("1.25", "CNY")
        };
        let seal = SigningContext {
            keys: &keys,
            now_s: NOW_S,
        };
        assert!(
            adapter(id)
                .unwrap()
                .message(ChannelCall::Pay, &unclaimed, seal)
                .is_err(),
            "{id}"
        );
    }
}

#[test]
fn the_psp_is_told_whole_minor_units() {
    let keys = keys();
    let seal = SigningContext {
        keys: &keys,
        now_s: NOW_S,
    };
    for (amount, currency, units) in [
        ("1.2500", "CNY", "125"),
        ("700", "JPY", "700"),
        ("1.005", "BHD", "1005"),
    ] {
        let message = psp::PspChannel
            .message(ChannelCall::Pay, &order(amount, currency), seal)
            .unwrap();
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(body["amount"].to_string(), units);
        assert_eq!(
            (&body["currency"], &body["destination"]["bank"]),
            (&json!(currency), &json!("ICBC"))
        );
        assert!(
            message
                .headers
                .contains(&("idempotency-key", SERIAL_NO.to_owned()))
        );
    }
    assert!(
        psp::PspChannel
            .message(ChannelCall::Pay, &order("1.5", "JPY"), seal)
            .is_err()
    );
    let told = |amount: Value, currency: &str| {
        let mut data = body("psp", "paid", SERIAL_NO);
        data["amount"] = amount;
        data["currency"] = currency.into();
        notified("psp", &json!({ "type": "payout.paid", "data": data }))
            .map(|n| (n.heard.amount, n.heard.currency))
    };
    let said =
        |text: &str, currency: &str| (Decimal::from_str_exact(text).ok(), currency.parse().ok());
    assert_eq!(told(json!(125), "CNY").unwrap(), said("1.25", "CNY"));
    assert_eq!(told(json!(125), "JPY").unwrap(), said("125", "JPY"));
    assert_eq!(told(json!(125), "BHD").unwrap(), said("0.125", "BHD"));
    for (amount, currency) in [
        (json!(1.25), "CNY"),
        (json!("125"), "CNY"),
        (json!(125), "XXX"),
        (Value::Null, "CNY"),
    ] {
        assert!(
            matches!(
                told(amount.clone(), currency),
                Err(NotificationError::Body(_))
            ),
            "{amount} {currency}"
        );
    }
}

#[test]
fn the_psp_alone_says_no_such_payout_and_its_two_words_must_agree() {
    let not_found = |code: &str, reference: &str| {
        json!({ "error": { "code": code, "reference": reference } }).to_string()
    };
    let heard = |call, body: &str| {
        read("psp", call, 404, body.as_bytes())
            .map(|h| h.answer)
            .ok()
    };
    assert_eq!(
        heard(
            ChannelCall::Query,
            &not_found("payout_not_found", SERIAL_NO)
        ),
        Some(ChannelAnswer::NoSuchTrade)
    );
    assert_eq!(
        heard(ChannelCall::Pay, &not_found("payout_not_found", SERIAL_NO)),
        None
    );
    assert_eq!(
        heard(
            ChannelCall::Query,
            &not_found("payout_not_found", "another")
        ),
        None
    );
    assert_eq!(
        heard(ChannelCall::Query, &not_found("route_not_found", SERIAL_NO)),
        None
    );
    assert_eq!(heard(ChannelCall::Query, "<html>not found</html>"), None);
    let mut told = notice("psp", "paid");
    told["type"] = "payout.failed".into();
    assert_eq!(
        notified("psp", &told).unwrap().heard.answer,
        ChannelAnswer::Unknown
    );
}

#[test]
fn a_header_of_two_signatures_holds_if_one_does() {
    let (keys, text) = (keys(), notice("psp", "paid").to_string());
    let good = sign(keys.current(), NOW_S, text.as_bytes());
    let held = |header: &str| {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("psp-signature"),
            header.parse().unwrap(),
        )]);
        psp::PspChannel
            .notified(
                &headers,
                text.as_bytes(),
                SigningContext {
                    keys: &keys,
                    now_s: NOW_S,
                },
            )
            .is_ok()
    };
    let wrong = "00".repeat(32);
    assert!(
        held(&format!("t={NOW_S},v1={wrong},v1={good}")) && held(&format!("v1={good}, t={NOW_S}"))
    );
    for header in [
        format!("t={NOW_S},v1={wrong}"),
        format!("t={NOW_S},v0={good}"),
        format!("v1={good}"),
        "t=,v1=".into(),
    ] {
        assert!(!held(&header), "{header}");
    }
}
