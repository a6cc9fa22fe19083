//! The payout API: minor units, and its own words.

use super::*;

#[test]
fn the_psp_gets_whole_minor_units() {
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
        let message = crate::channels::psp::PspChannel
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
        crate::channels::psp::PspChannel
            .message(ChannelCall::Pay, &order("1.5", "JPY"), seal)
            .is_err()
    );
    let told = |amount: Value, currency: &str| {
        let mut data = body("psp", "paid", SERIAL_NO);
        data["amount"] = amount;
        data["currency"] = currency.into();
        notified("psp", &json!({ "type": "payout.paid", "data": data }))
            .map(|n| (n.result.amount, n.result.currency))
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
        notified("psp", &told).unwrap().result.answer,
        ChannelAnswer::Unknown
    );
}
