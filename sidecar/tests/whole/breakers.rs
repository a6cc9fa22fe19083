//! Violations open breakers, and people set them by hand.

use super::*;

/// By the time that a token is told, whatever was committed before it has tripped.
pub async fn violation(sidecar: &WholeSidecar, server: &TestServer, fence: &mut WholeFenceReader) {
    let mut conn = server.conn().await;
    conn.query_drop("INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) VALUES ('wrong','CNY',10,5,4,1,0),('right','CNY',10,5,5,1,0)")
        .await
        .unwrap();
    write_token(&mut conn, 202).await;
    fence.until(|l| l.token == 202).await;
    let open: Vec<(String, String)> = conn
        .query("SELECT scope_key, state FROM t_guard.breaker")
        .await
        .unwrap();
    assert_eq!(open, [("wrong".to_owned(), "open".to_owned())]);

    // A wrong file is refused; the last good set stays.
    let file = server.dir().join("rules/broken.rhai");
    std::fs::write(&file, "no header").unwrap();
    sidecar
        .metric("sluice_sidecar_rule_reload_failures_total 1")
        .await;
    assert!(
        sidecar
            .call("GET", "/rules", WHOLE_TOKEN, "")
            .await
            .1
            .contains("balance-adds-up")
    );
    std::fs::remove_file(&file).unwrap();
}

pub async fn breakers_by_hand(sidecar: &WholeSidecar) {
    let why = r#"{"by":"ann","reason":"drill"}"#;
    let reset = r#"{"by":"ann","reason":"drill","version":1}"#;
    let later = r#"{"by":"ann","reason":"drill","version":2}"#;
    let cases = [
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            reset,
            409,
        ),
        ("/breakers/cash_out/account/a-1/trip", "wrong", why, 401),
        (
            "/breakers/cash_out/account/a-1/trip",
            WHOLE_TOKEN,
            r#"{"by":"","reason":"x"}"#,
            400,
        ),
        (
            "/breakers/cash_out/account/a-1/trip",
            WHOLE_TOKEN,
            "{}",
            400,
        ),
        ("/breakers/cash_out/nothing/a-1/trip", WHOLE_TOKEN, why, 400),
        ("/breakers/cash_out/all/a-1/trip", WHOLE_TOKEN, why, 400),
        ("/breakers/cash_out/account/a-1/trip", WHOLE_TOKEN, why, 200),
        ("/breakers/cash_out/account/a-1/trip", WHOLE_TOKEN, why, 200),
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            why,
            400,
        ),
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            later,
            409,
        ),
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            reset,
            200,
        ),
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            reset,
            409,
        ),
        ("/nothing", WHOLE_TOKEN, why, 404),
    ];
    for (path, token, body, want) in cases {
        let (status, answer) = sidecar.call("POST", path, token, body).await;
        assert_eq!(status, want, "{path} {body}: {answer}");
    }
    looked_at_with_a_token(sidecar).await;
}

/// Reads are for who has a token, whatever it may do besides.
async fn looked_at_with_a_token(sidecar: &WholeSidecar) {
    for (path, part) in [
        ("/breakers", "\"state\":\"closed\""),
        ("/status", "\"role\":\"active\""),
        ("/rules", "\"hash\""),
        ("/verdicts?after_us=0&limit=5", "\"accountId\":\"wrong\""),
        ("/metrics", "sluice_sidecar_lag_seconds"),
        ("/live", "live"),
    ] {
        let is_open = matches!(path, "/metrics" | "/live");
        for (token, reads) in [(WHOLE_TOKEN, true), (READ_TOKEN, true), ("wrong", is_open)] {
            let (status, answer) = sidecar.call("GET", path, token, "").await;
            let want = if reads { 200 } else { 401 };
            assert!(
                status == want && answer.contains(part) == reads,
                "{path}: {status} {answer}"
            );
        }
    }
    // Who may only look can't act.
    let trip = "/breakers/cash_out/account/a-1/trip";
    let why = r#"{"by":"ann","reason":"drill"}"#;
    assert_eq!(sidecar.call("POST", trip, READ_TOKEN, why).await.0, 401);
    assert_eq!(
        sidecar.call("GET", "/fence/core-1", READ_TOKEN, "").await.0,
        401
    );
    assert_eq!(
        sidecar.call("GET", "/fence/core-1", "wrong", "").await.0,
        401
    );
    assert_eq!(
        sidecar
            .call("GET", "/verdicts?limit=x", WHOLE_TOKEN, "")
            .await
            .0,
        400
    );
}
