//! Replies that prove nothing, whatever their bodies say.

use super::*;

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
            let torn = &text[..text.len() - 1];
            for junk in [
                "",
                "{}",
                "[]",
                "null",
                "<html>It works!</html>",
                torn,
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
            let path = path(id, ChannelCall::Query);
            let scope = reply_scope(id, &path);
            let good = signed(scope, own.current(), NOW_S, text.as_bytes());
            let seal = |now_s| SigningContext { keys: &own, now_s };
            let heard = |headers: &HeaderMap, now_s| {
                let reply = RawReply {
                    status: 200,
                    headers: headers.clone(),
                    body: text.clone().into(),
                };
                adapter(channel(id))
                    .read(
                        ChannelCall::Query,
                        &order("1.25", "CNY"),
                        NONCE,
                        &reply,
                        seal(now_s),
                    )
                    .is_ok()
            };
            assert!(heard(&good, NOW_S + 300));
            for (headers, now_s) in [
                (HeaderMap::new(), NOW_S),
                (signed(scope, &foreign, NOW_S, text.as_bytes()), NOW_S),
                (signed(scope, own.current(), NOW_S, b"another body"), NOW_S),
                (good.clone(), NOW_S + 301),
                (good.clone(), NOW_S - 301),
            ] {
                assert!(!heard(&headers, now_s), "{id} {headers:?} {now_s}");
                let told = adapter(channel(id)).notified(&headers, text.as_bytes(), seal(now_s));
                assert!(
                    matches!(told, Err(NotificationError::Signature { .. })),
                    "{id} {headers:?}"
                );
            }
        }
    }
}
