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
        let message = adapter(ChannelId::Psp)
            .message(ChannelCall::Pay, &order(amount, currency), NONCE, seal)
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
        adapter(ChannelId::Psp)
            .message(ChannelCall::Pay, &order("1.5", "JPY"), NONCE, seal)
            .is_err()
    );
    let told = |amount: Value, currency: &str| {
        let mut data = body("psp", "paid", SERIAL_NO);
        data["amount"] = amount;
        data["currency"] = currency.into();
        let told = notified("psp", &json!({ "type": "payout.paid", "data": data }));
        told.map(|n| n.result.echo.amount)
    };
    let said = |text: &str| Echo::Stated(Decimal::from_str_exact(text).unwrap());
    for (units, currency, amount) in [
        (125, "CNY", "1.25"),
        (125, "JPY", "125"),
        (125, "BHD", "0.125"),
        // The provider's own decimals, not ISO's.
        (200_000, "ISK", "2000"),
        (50_000, "IDR", "50000"),
    ] {
        assert_eq!(told(json!(units), currency).unwrap(), said(amount));
    }
    for amount in [json!(1.25), json!("125")] {
        let heard = told(amount.clone(), "CNY");
        assert!(matches!(heard, Err(NotificationError::Body(_))), "{amount}");
    }
    // An amount that isn't there, or can't be read, is none.
    assert_eq!(told(Value::Null, "CNY").unwrap(), Echo::Missing);
    assert_eq!(told(json!(125), "XXX").unwrap(), Echo::Missing);
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
    let other = not_found("payout_not_found", "another");
    let other = read("psp", ChannelCall::Query, 404, other.as_bytes()).unwrap();
    assert_eq!(other.echo.serial_no, Echo::Stated("another".to_owned()));
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
