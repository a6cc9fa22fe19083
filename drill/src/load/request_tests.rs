use super::*;

#[test]
fn a_request_is_what_the_core_reads() {
    let target = LoadTarget {
        token: Some("t0k".into()),
        ..LoadTarget::new("127.0.0.1:7100")
    };
    let withdrawal = LoadWithdrawal {
        from_account: "a-1",
        to_account: "b-1",
        amount: "12.34",
        currency: "CNY",
        user_id: "u-1",
        transaction_id: "t-1",
        biz_no: "z-1",
        channel: Some("unionpay"),
    };
    let mut out = Vec::new();
    target.withdraw(&mut out, "key-1", &withdrawal);
    let text = String::from_utf8(out).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    for line in [
        "POST /withdraw HTTP/1.1",
        "idempotent-key: key-1",
        "authorization: Bearer t0k",
    ] {
        assert!(head.lines().any(|l| l == line), "{line} in {head}");
    }
    assert!(head.contains(&format!("content-length: {}", body.len())));
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(json["amount"], "12.34");
    assert_eq!(json["channel"], "unionpay");
    assert_eq!(field(body.as_bytes(), "transactionId"), Some("t-1"));
    assert_eq!(field(body.as_bytes(), "nothing"), None);
}
