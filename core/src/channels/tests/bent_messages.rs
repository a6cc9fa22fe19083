//! Captured messages, played again as something else: none counts.

use super::*;

/// A way in which a message reaches the core.
#[derive(Debug, Clone, Copy, PartialEq)]
enum CapturedMessage {
    PayReply,
    QueryReply,
    Callback,
}

const WAYS: [CapturedMessage; 3] = [
    CapturedMessage::PayReply,
    CapturedMessage::QueryReply,
    CapturedMessage::Callback,
];

/// The text that a channel would send this way, and its headers.
fn captured(id: &str, way: CapturedMessage) -> (String, HeaderMap) {
    let word = END_CODES
        .iter()
        .find(|(listed, _)| *listed == id)
        .unwrap()
        .1[0];
    let text = match way {
        CapturedMessage::PayReply | CapturedMessage::QueryReply => body(id, word, SERIAL_NO),
        CapturedMessage::Callback => notice(id, word),
    };
    let text = text.to_string();
    let path = match way {
        CapturedMessage::PayReply => path(id, ChannelCall::Pay),
        CapturedMessage::QueryReply => path(id, ChannelCall::Query),
        CapturedMessage::Callback => callback_path(id),
    };
    let scope = match way {
        CapturedMessage::PayReply | CapturedMessage::QueryReply => reply_scope(id, &path),
        CapturedMessage::Callback => callback_scope(id, &path),
    };
    let headers = signed(scope, keys().current(), NOW_S, text.as_bytes());
    (text, headers)
}

/// Whether the message is taken when it comes in this way, at the channel's adapter.
fn is_taken(id: &str, way: CapturedMessage, nonce: &str, text: &str, headers: &HeaderMap) -> bool {
    let keys = keys();
    let seal = SigningContext {
        keys: &keys,
        now_s: NOW_S,
    };
    let reply = RawReply {
        status: 200,
        headers: headers.clone(),
        body: Bytes::copy_from_slice(text.as_bytes()),
    };
    let order = order("1.25", "CNY");
    let adapter = adapter(channel(id));
    let read = |call| adapter.read(call, &order, nonce, &reply, seal).is_ok();
    match way {
        CapturedMessage::PayReply => read(ChannelCall::Pay),
        CapturedMessage::QueryReply => read(ChannelCall::Query),
        CapturedMessage::Callback => adapter.notified(headers, text.as_bytes(), seal).is_ok(),
    }
}

#[test]
fn a_message_counts_only_as_what_it_was_sent_as() {
    for id in ChannelId::ALL.map(ChannelId::as_str) {
        for sent in WAYS {
            let (text, headers) = captured(id, sent);
            for way in WAYS {
                let taken = is_taken(id, way, NONCE, &text, &headers);
                assert_eq!(taken, sent == way, "{id}: {sent:?} as {way:?}");
            }
        }
    }
}

#[test]
fn a_captured_reply_answers_no_other_request() {
    for id in ChannelId::ALL.map(ChannelId::as_str) {
        for way in [CapturedMessage::PayReply, CapturedMessage::QueryReply] {
            let (text, headers) = captured(id, way);
            let other = NONCE.replace('0', "1");
            assert!(is_taken(id, way, NONCE, &text, &headers), "the control");
            assert!(!is_taken(id, way, &other, &text, &headers), "{id} {way:?}");
        }
    }
}

#[test]
fn a_channels_word_is_not_anothers_under_the_same_secret() {
    // The two networks write alike, and these tests give them one secret.
    for (from, to) in [("netsunion", "unionpay"), ("unionpay", "netsunion")] {
        let (text, headers) = captured(from, CapturedMessage::Callback);
        assert!(is_taken(
            from,
            CapturedMessage::Callback,
            NONCE,
            &text,
            &headers
        ));
        assert!(
            !is_taken(to, CapturedMessage::Callback, NONCE, &text, &headers),
            "{from}"
        );
    }
}

#[test]
fn our_own_request_is_no_word_of_the_channel() {
    let keys = keys();
    let seal = SigningContext {
        keys: &keys,
        now_s: NOW_S,
    };
    for id in ChannelId::ALL.map(ChannelId::as_str) {
        for call in [ChannelCall::Pay, ChannelCall::Query] {
            let adapter = adapter(channel(id));
            let sent = adapter
                .message(call, &order("1.25", "CNY"), NONCE, seal)
                .unwrap();
            let make = |(name, value): &(&'static str, String)| {
                (HeaderName::from_static(name), value.parse().unwrap())
            };
            let headers: HeaderMap = sent.headers.iter().map(make).collect();
            let reply = RawReply {
                status: 200,
                headers: headers.clone(),
                body: sent.body.clone().into(),
            };
            let heard = adapter.read(call, &order("1.25", "CNY"), NONCE, &reply, seal);
            let error = format!("{:#}", heard.unwrap_err());
            assert!(error.contains("does not match"), "{id} {call:?}: {error}");
            let told = adapter.notified(&headers, &sent.body, seal);
            assert!(
                matches!(told, Err(NotificationError::Signature { .. })),
                "{id} {call:?}"
            );
        }
    }
}
