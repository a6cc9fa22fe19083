//! Signatures of the payout API.

use super::*;

#[test]
fn a_header_of_two_signatures_holds_if_one_does() {
    let (keys, text) = (keys(), notice("psp", "paid").to_string());
    let path = callback_path("psp");
    let good = callback_scope("psp", &path).sign(keys.current(), NOW_S, text.as_bytes());
    let held = |header: &str| {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("psp-signature"),
            header.parse().unwrap(),
        )]);
        adapter(ChannelId::Psp)
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
        held(&format!("t={NOW_S},n={NONCE},v2={wrong},v2={good}"))
            && held(&format!("v2={good}, n={NONCE}, t={NOW_S}"))
    );
    for header in [
        format!("t={NOW_S},n={NONCE},v2={wrong}"),
        // Another scheme, no nonce, another nonce, no time.
        format!("t={NOW_S},n={NONCE},v1={good}"),
        format!("t={NOW_S},v2={good}"),
        format!("t={NOW_S},n={},v2={good}", NONCE.replace('0', "1")),
        format!("n={NONCE},v2={good}"),
        "t=,n=,v2=".into(),
    ] {
        assert!(!held(&header), "{header}");
    }
}
