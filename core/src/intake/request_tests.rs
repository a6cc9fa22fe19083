use super::*;
use rust_decimal::Decimal;
use sluice_contract::event::PAYMENT_SUCCEEDED;

fn event(account: &str, biz_no: &str, amount: &str, currency: &str) -> BusinessEvent {
    BusinessEvent {
        id: "e".into(),
        kind: PAYMENT_SUCCEEDED.into(),
        account_id: account.into(),
        biz_no: biz_no.into(),
        amount: Decimal::from_str_exact(amount).unwrap(),
        currency: currency.into(),
        occurred_us: 1_795_288_380_000_001,
        payer_account_id: None,
        client: None,
    }
}

#[test]
fn what_is_booked_and_what_is_set_aside() {
    for (amount, currency) in [
        ("0.01", "CNY"),
        ("100", "JPY"),
        ("1.234", "BHD"),
        ("5", "CNY"),
    ] {
        assert!(
            capture_request(&event("M-1", "P-1", amount, currency), 1).is_ok(),
            "{amount} {currency}"
        );
    }
    let long = "x".repeat(65);
    let cases = [
        (event("M-1", "P-1", "1.001", "CNY"), "amount"),
        (event("M-1", "P-1", "1.0", "JPY"), "amount"),
        (event("M-1", "P-1", "0", "CNY"), "amount"),
        (event("M-1", "P-1", "-5", "CNY"), "amount"),
        (event("M-1", "P-1", "1", "XXX"), "currency"),
        (event("M 1", "P-1", "1", "CNY"), "accountId"),
        (event("M-1", &long, "1", "CNY"), "bizNo"),
    ];
    for (event, part) in cases {
        let why = capture_request(&event, 1).err().unwrap_or_default();
        assert!(why.contains(part), "{event:?}: {why}");
    }
}

#[test]
fn the_same_payment_has_the_same_key_and_other_words_another_hash() {
    let of = |amount: &str| capture_request(&event("M-1", "P-1", amount, "CNY"), 1).unwrap();
    assert_eq!(
        (of("5").key, of("5").request_hash),
        (of("5.00").key, of("5.00").request_hash)
    );
    assert_ne!(of("5").request_hash, of("5.01").request_hash);
    assert_eq!(key("M-1", "P-1"), "pay/M-1/P-1");
    let (account, number) = ("a".repeat(MAX_ID_BYTES), "p".repeat(MAX_KEY_BYTES));
    assert!(key(&account, &number).len() <= MAX_KEY_LEN);
    assert_ne!(
        key(&account, &number),
        key(&account, &"q".repeat(MAX_KEY_BYTES))
    );
}

#[test]
fn the_payer_is_part_of_what_was_told() {
    let of = |payer: Option<&str>| {
        let mut told = event("M-1", "P-1", "5", "CNY");
        told.payer_account_id = payer.map(str::to_owned);
        capture_request(&told, 1)
    };
    let hash = |payer| of(payer).unwrap().request_hash;
    assert_ne!(hash(Some("wallet-1")), hash(Some("wallet-2")));
    assert_ne!(hash(Some("wallet-1")), hash(None));
    let BookingRequest::Capture(capture) = of(Some("wallet-1")).unwrap().booking else {
        unreachable!("a payment is captured")
    };
    assert_eq!(capture.payer.as_deref(), Some("wallet-1"));
    let why = of(Some("a wallet")).err().unwrap_or_default();
    assert!(why.contains("payerAccountId"), "{why}");
}
