//! Signatures of answers and notifications: whose word counts, and for how long.

use super::*;
use crate::channels::tests::{
    END_CODES, NOW_S, SERIAL_NO, body, keys, notice, order, proves, read, signed,
};
use reqwest::header::HeaderName;
use sluice_contract::settings::Secret;
use sluice_contract::signing::sign;

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
