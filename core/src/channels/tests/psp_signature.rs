//! Signatures of the payout API.

use super::*;

#[test]
fn a_header_of_two_signatures_holds_if_one_does() {
    let (keys, text) = (keys(), notice("psp", "paid").to_string());
    let good = sign(keys.current(), NOW_S, text.as_bytes());
    let held = |header: &str| {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("psp-signature"),
            header.parse().unwrap(),
        )]);
        crate::channels::psp::PspChannel
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
