//! Requests, whenever they are made.

use super::*;

#[test]
fn a_request_holds_the_stored_identity_whatever_the_time() {
    let keys = keys();
    for id in ChannelId::ALL.map(ChannelId::as_str) {
        for call in [ChannelCall::Pay, ChannelCall::Query] {
            let at = |now_s| {
                adapter(channel(id)).message(
                    call,
                    &order("1.25", "CNY"),
                    NONCE,
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
            adapter(channel(id))
                .message(ChannelCall::Pay, &unclaimed, NONCE, seal)
                .is_err(),
            "{id}"
        );
    }
}
