use super::*;

const NONCE: &str = "0123456789abcdef";

fn reply() -> MessageScope<'static> {
    MessageScope {
        direction: MessageDirection::Reply,
        channel: "netsunion",
        path: "/netsunion/pay",
        nonce: NONCE,
    }
}

#[test]
fn the_canonical_text_is_what_the_documents_say() {
    // Made by another program from the text that the module describes.
    let known = "b56cf6b3ac8821f4bf58dcc74d43306c5ca28ee6e51d3e28659582e643ef1f7b";
    let secret = Secret::new("k");
    assert_eq!(reply().sign(&secret, 1_000, b"body"), known);
    assert_eq!(key_id(&secret), "7aca01dbe2c1af25");
}

#[test]
fn only_the_signed_body_at_its_time_passes() {
    let secret = Secret::new("k");
    let good = reply().sign(&secret, 1_000, b"body");
    let check =
        |now, t: &str, s: &str, body: &[u8]| reply().verify(&secret, now, Some(t), Some(s), body);
    assert_eq!(check(1_010, "1000", &good, b"body"), Ok(()));
    for (now, time, signature, body, error) in [
        (
            1_010,
            "1000",
            good.as_str(),
            b"bodY",
            SignatureError::Mismatch,
        ),
        (1_010, "1001", &good, b"body", SignatureError::Mismatch),
        (1_301, "1000", &good, b"body", SignatureError::Stale),
        (699, "1000", &good, b"body", SignatureError::Stale),
        (1_010, "x", &good, b"body", SignatureError::Malformed),
        (1_010, "1000", "zz", b"body", SignatureError::Malformed),
    ] {
        assert_eq!(check(now, time, signature, body), Err(error));
    }
    let other = Secret::new("other");
    let verified = reply().verify(&other, 1_010, Some("1000"), Some(&good), b"body");
    assert_eq!(verified, Err(SignatureError::Mismatch));
}

#[test]
fn a_message_stands_for_no_other() {
    let secret = Secret::new("k");
    let good = reply().sign(&secret, 1_000, b"body");
    let verified =
        |scope: MessageScope<'_>| scope.verify(&secret, 1_000, Some("1000"), Some(&good), b"body");
    assert_eq!(verified(reply()), Ok(()), "the control");
    for direction in MessageDirection::ALL {
        let same = direction == MessageDirection::Reply;
        let scope = MessageScope {
            direction,
            ..reply()
        };
        assert_eq!(verified(scope).is_ok(), same, "{direction:?}");
    }
    for (channel, path, nonce) in [
        ("unionpay", "/netsunion/pay", NONCE),
        ("netsunion", "/netsunion/query", NONCE),
        ("netsunion", "/netsunion/pay", "0123456789abcdee"),
        // The same bytes in a row, cut elsewhere.
        ("netsunion\n/netsunion/pay", "", NONCE),
        ("netsunion", "/netsunion/pay", ""),
    ] {
        let scope = MessageScope {
            channel,
            path,
            nonce,
            ..reply()
        };
        assert!(verified(scope).is_err(), "{scope:?}");
    }
}

#[test]
fn nonces_name_one_request_each() {
    let nonces: std::collections::HashSet<String> = (0..1_000).map(|_| new_nonce()).collect();
    assert_eq!(nonces.len(), 1_000);
    let nonce = nonces.iter().next().unwrap();
    let scope = MessageScope { nonce, ..reply() };
    let secret = Secret::new("k");
    let code = scope.sign(&secret, 7, b"");
    assert_eq!(
        scope.verify(&secret, 7, Some("7"), Some(&code), b""),
        Ok(())
    );
}
