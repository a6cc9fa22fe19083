use crate::event::{BusinessEvent, EventError, MAX_EVENT_BYTES};

#[test]
fn events_by_table() {
    let event = |kind: &str, amount: &str, account: &str| {
        format!(
            r#"{{"id":"e1","type":"{kind}","accountId":"{account}","bizNo":"b","amount":{amount},"currency":"CNY","occurredUs":1795288380000001,"more":2}}"#
        )
    };
    let good = |text: &str| event("payment.succeeded", &format!("\"{text}\""), "a");
    let twice = event("payment.succeeded", "\"1\"", "a").replace("\"more\":2", "\"id\":\"e2\"");
    let paid_by = |kind: &str, payer: &str| {
        let more = format!("\"payerAccountId\":{payer}");
        event(kind, "\"1\"", "a").replace("\"more\":2", &more)
    };
    let cases = [
        (good("1.50"), None),
        (paid_by("payment.succeeded", "\"wallet-1\""), None),
        (paid_by("payment.succeeded", "null"), None),
        (
            paid_by("payment.succeeded", "\"\""),
            Some(EventError::EmptyField),
        ),
        (
            paid_by("payment.succeeded", "5"),
            Some(EventError::Malformed),
        ),
        (paid_by("deposit.received", "5"), None),
        (good("9999999999999999.9999"), None),
        (event("deposit.received", "\"1.50\"", "a"), None),
        (event("withdraw.requested", "\"1\"", "a"), None),
        (
            event("payment.gone", "\"1\"", "a"),
            Some(EventError::UnknownType),
        ),
        (
            good("0.10000000000000000555111512312578270211815834045"),
            Some(EventError::Amount),
        ),
        (good("10000000000000000"), Some(EventError::Amount)),
        (good("1.00000"), Some(EventError::Amount)),
        (good("0.00"), Some(EventError::Amount)),
        (good("-1"), Some(EventError::Amount)),
        (good("+1"), Some(EventError::Amount)),
        (good("1e3"), Some(EventError::Amount)),
        (good("1_000"), Some(EventError::Amount)),
        (good("01"), Some(EventError::Amount)),
        (good(".5"), Some(EventError::Amount)),
        (good("5."), Some(EventError::Amount)),
        (good("x"), Some(EventError::Amount)),
        (good(""), Some(EventError::Amount)),
        (
            event("payment.succeeded", "1.5", "a"),
            Some(EventError::Amount),
        ),
        (
            event("payment.succeeded", "null", "a"),
            Some(EventError::Amount),
        ),
        (
            event("payment.succeeded", "\"1\"", ""),
            Some(EventError::EmptyField),
        ),
        (twice, Some(EventError::Malformed)),
        ("{".to_owned(), Some(EventError::Malformed)),
        (" ".repeat(MAX_EVENT_BYTES + 1), Some(EventError::TooLong)),
    ];
    for (text, want) in cases {
        assert_eq!(BusinessEvent::read(text.as_bytes()).err(), want, "{text}");
    }
}

#[test]
fn deposits_and_withdrawals_name_their_client() {
    let asked_by = |kind: &str, client: &str| {
        format!(
            r#"{{"id":"e1","type":"{kind}","accountId":"a","bizNo":"b","amount":"1","currency":"CNY","occurredUs":1795288380000001,"client":{client}}}"#
        )
    };
    let cases = [
        (asked_by("deposit.received", "\"wallet\""), None),
        (asked_by("withdraw.requested", "null"), None),
        (
            asked_by("deposit.received", "\"\""),
            Some(EventError::EmptyField),
        ),
        (
            asked_by("withdraw.requested", "5"),
            Some(EventError::Malformed),
        ),
        (asked_by("payment.succeeded", "5"), None),
    ];
    for (text, want) in cases {
        assert_eq!(BusinessEvent::read(text.as_bytes()).err(), want, "{text}");
    }
}

#[test]
fn a_time_in_another_unit_is_refused_by_its_name() {
    let at = |occurred_us: i64| {
        let event = format!(
            r#"{{"id":"e1","type":"deposit.received","accountId":"a","bizNo":"b","amount":"1","currency":"CNY","occurredUs":{occurred_us}}}"#
        );
        BusinessEvent::read(event.as_bytes())
    };
    let now_us = 1_795_288_380_000_000;
    let cases = [
        (now_us, None),
        (now_us / 1_000, Some("time_in_milliseconds")),
        (now_us / 1_000_000, Some("time_in_seconds")),
        (now_us * 1_000, Some("time_in_nanoseconds")),
        (0, Some("time")),
        (-1, Some("time")),
        (i64::MAX, Some("time")),
        (-now_us, Some("time")),
    ];
    for (occurred_us, want) in cases {
        let refused = at(occurred_us).err();
        assert_eq!(refused.map(EventError::label), want, "{occurred_us}");
        let unit = want.and_then(|label| label.strip_prefix("time_in_"));
        let text = refused.map_or("", EventError::as_str);
        assert!(text.contains(unit.unwrap_or_default()), "{text}");
    }
    let day_us = 86_400_000_000;
    let ahead = |by: i64| at(now_us + by).unwrap().check_time(now_us).err();
    assert_eq!(ahead(day_us), None);
    assert_eq!(ahead(day_us + 1), Some(EventError::TimeAhead));
}
