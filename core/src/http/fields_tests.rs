use super::*;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct AmountBody {
    amount: Option<RequestAmount>,
}

fn text(body: &str) -> Option<String> {
    let body: AmountBody = parse(body.as_bytes()).ok()?;
    amount_text(body.amount?.get())
}

#[test]
fn an_amount_is_a_string_or_a_number_and_nothing_else() {
    for (body, read) in [
        (r#"{"amount":"5.00"}"#, "5.00"),
        (r#"{"amount": 5.00 }"#, "5.00"),
        (r#"{"amount":-1}"#, "-1"),
        (r#"{"amount":1e3}"#, "1e3"),
        (r#"{"amount":"\u0035"}"#, "5"),
        (
            r#"{"amount":12345678901234567890.1234}"#,
            "12345678901234567890.1234",
        ),
    ] {
        assert_eq!(text(body).as_deref(), Some(read), "{body}");
    }
    for body in [
        r#"{"amount":{"$serde_json::private::Number":"5.00"}}"#,
        r#"{"amount":{"\u0024serde_json::private::Number":"5.00"}}"#,
        r#"{"amount":{"$serde_json::private::RawValue":"5.00"}}"#,
        r#"{"amount":["5.00"]}"#,
        r#"{"amount":true}"#,
        r#"{"amount":null}"#,
        r#"{"amount":"5.00","amount":"6.00"}"#,
        r#"{"amount":"5.00","\u0061mount":"6.00"}"#,
        r#"{}"#,
    ] {
        assert_eq!(text(body), None, "{body}");
    }
}

#[test]
fn transaction_ids_of_the_core_are_nobodys() {
    let read = |id: &str| transaction_id(Some(id.to_owned()));
    assert_eq!(read("t-1").unwrap().as_deref(), Some("t-1"));
    assert!(read("auto:1").is_err());
    assert!(predecessor(Some("o".into()), None).is_err());
    assert!(predecessor(Some("o".into()), Some("b")).is_ok());
}
