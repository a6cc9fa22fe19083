//! Signatures are asked for; books, scripts and rates are open.

use crate::channels::tests::{SimulatorBench, TRADE_TIME, bench, payment, place, secrets};
use crate::channels::{BookSummary, SimulatorKind};
use crate::load::http;
use sluice_contract::clock::now_us;
use sluice_contract::signing::{NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, new_nonce};
use sluice_contract::wire::ChannelReply;

#[tokio::test]
async fn only_signed_requests_are_taken() {
    let bench = bench().await;
    let body = serde_json::to_string(&payment("S1", TRADE_TIME, "acct", 1)).unwrap();
    let (status, answer) = http::post(&bench.base, "/netsunion/pay", &body)
        .await
        .unwrap();
    let reply: ChannelReply = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, reply.code.as_str()), (401, "SIG"));
    // Well signed, but by the other channel's secret.
    let now = now_us() / 1_000_000;
    let (kind, nonce) = (SimulatorKind::NetsUnion, new_nonce());
    let scope = place(kind, "/netsunion/pay", &nonce);
    let keys = secrets().of(SimulatorKind::UnionPay);
    let answer = reqwest::Client::new()
        .post(format!("http://{}/netsunion/pay", bench.base))
        .header(
            SIGNATURE_HEADER,
            scope.sign(keys.current(), now, body.as_bytes()),
        )
        .header(TIMESTAMP_HEADER, now)
        .header(NONCE_HEADER, &nonce)
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    assert!(bench.simulator.book().is_empty());
}

#[tokio::test]
async fn books_scripts_and_rates_over_http() {
    let bench = bench().await;
    let ready = http::get(&bench.base, "/ready").await.unwrap();
    assert_eq!(ready.0, 200);
    let script = r#"{"match":"no-","action":{"kind":"fail"},"times":1}"#;
    assert_eq!(
        http::post(&bench.base, "/netsunion/script", script)
            .await
            .unwrap()
            .0,
        204
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "B1", TRADE_TIME, "no-1", 1)
            .await,
        "1001"
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "B2", TRADE_TIME, "no-1", 1)
            .await,
        "0000"
    );
    assert_eq!(
        http::post(&bench.base, "/netsunion/rates", r#"{"fail":1000}"#)
            .await
            .unwrap()
            .0,
        204
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "B3", TRADE_TIME, "any", 1)
            .await,
        "1001"
    );
    contradictions_are_refused(&bench).await;
    assert_eq!(
        http::post(&bench.base, "/netsunion/rates", "{}")
            .await
            .unwrap()
            .0,
        204
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "B4", TRADE_TIME, "any", 250)
            .await,
        "0000"
    );
    the_book_by_pages(&bench).await;
    let (_, summary) = http::get(&bench.base, "/book/summary").await.unwrap();
    assert_eq!(
        serde_json::from_slice::<BookSummary>(&summary)
            .unwrap()
            .count,
        2
    );
}

async fn the_book_by_pages(bench: &SimulatorBench) {
    let (_, page) = http::get(&bench.base, "/netsunion/book?limit=1")
        .await
        .unwrap();
    let page: serde_json::Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(
        (&page["items"][0]["serialNo"], &page["next"]),
        (&"B2".into(), &1.into())
    );
    let (_, page) = http::get(&bench.base, "/netsunion/book?after=1")
        .await
        .unwrap();
    let page: serde_json::Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(
        (&page["items"][0]["amount"], page["next"].is_null()),
        (&"2.50".into(), true)
    );
}

async fn contradictions_are_refused(bench: &SimulatorBench) {
    let wrong = http::post(
        &bench.base,
        "/netsunion/rates",
        r#"{"fail":999,"junk_body":2}"#,
    )
    .await
    .unwrap();
    assert_eq!(wrong.0, 400, "{}", String::from_utf8_lossy(&wrong.1));
    let returns = r#"{"match":"x","action":{"kind":"return_after_success","ms":1}}"#;
    assert_eq!(
        http::post(&bench.base, "/netsunion/script", returns)
            .await
            .unwrap()
            .0,
        400
    );
}
