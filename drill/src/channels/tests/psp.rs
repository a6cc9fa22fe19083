//! The payout API over real HTTP, as the core sees it.

use crate::channels::tests::{
    NEXT_DAY_TRADE_TIME, SimulatorBench, TRADE_TIME, bench, place, secrets,
};
use crate::channels::{ScriptedAction, SimulatorKind};
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::settings::Secret;
use sluice_contract::signing::{key_id, new_nonce};

/// `status`, or `status:failure_code`.
pub(super) fn word(payout: &Value) -> String {
    let status = payout["status"].as_str().unwrap_or_default();
    payout["failure_code"]
        .as_str()
        .map_or(status.to_owned(), |failure| format!("{status}:{failure}"))
}

/// Time and code of the provider's header.
pub(super) fn parts(header: &str) -> (&str, &str) {
    let (time, rest) = header
        .strip_prefix("t=")
        .unwrap()
        .split_once(",n=")
        .unwrap();
    (time, rest.split_once(",v2=").unwrap().1)
}

fn ask(reference: &str, created: &str, amount: Value, currency: &str) -> Value {
    json!({ "reference": reference, "amount": amount, "currency": currency, "created": created,
            "destination": { "account": "payee", "bank": "ICBC" } })
}

impl SimulatorBench {
    async fn psp(
        &self,
        secret: &Secret,
        key: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let now = now_us() / 1_000_000;
        let text = body.map_or(String::new(), Value::to_string);
        let nonce = new_nonce();
        let code = place(SimulatorKind::Psp, path, &nonce).sign(secret, now, text.as_bytes());
        let (client, url) = (
            reqwest::Client::new(),
            format!("http://{}/psp{path}", self.base),
        );
        let request = if body.is_some() {
            client.post(url)
        } else {
            client.get(url)
        };
        let answer = request
            .header("psp-signature", format!("t={now},n={nonce},v2={code}"))
            .header("psp-key-id", key_id(secret))
            .header("idempotency-key", key)
            .body(text)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null),
        )
    }

    async fn payout(&self, body: &Value) -> (u16, Value) {
        let keys = secrets().of(SimulatorKind::Psp);
        self.psp(
            keys.current(),
            body["reference"].as_str().unwrap(),
            "/v1/payouts",
            Some(body),
        )
        .await
    }

    async fn by_reference(&self, reference: &str, date: &str) -> (u16, Value) {
        let path = format!("/v1/payouts/by-reference/{reference}?date={date}");
        self.psp(secrets().of(SimulatorKind::Psp).current(), "", &path, None)
            .await
    }
}

#[tokio::test]
async fn one_key_on_one_date_is_one_payout_told_by_webhook() {
    let bench = bench().await;
    let body = ask("P1", TRADE_TIME, json!(125), "CNY");
    let (status, first) = bench.payout(&body).await;
    assert_eq!(
        (status, word(&first).as_str(), &first["amount"]),
        (201, "pending", &json!(125))
    );
    assert_eq!(bench.wait_codes("P1", 1).await, ["paid"]);
    let (status, again) = bench.payout(&body).await;
    assert_eq!(
        (status, word(&again).as_str(), &again["id"]),
        (200, "paid", &first["id"])
    );
    let (status, other) = bench
        .payout(&ask("P1", TRADE_TIME, json!(126), "CNY"))
        .await;
    assert_eq!(
        (status, &other["error"]["code"]),
        (409, &json!("idempotency_conflict"))
    );
    assert_eq!(
        word(&bench.by_reference("P1", &TRADE_TIME[..8]).await.1),
        "paid"
    );
    assert_eq!(bench.simulator.summary(None).sums["CNY"], "1.25");
    // Another date is another payout: the hazard that a fixed trade time avoids.
    let (status, none) = bench.by_reference("P1", &NEXT_DAY_TRADE_TIME[..8]).await;
    assert_eq!(
        (status, &none["error"]["code"]),
        (404, &json!("payout_not_found"))
    );
    assert_eq!(
        bench
            .payout(&ask("P1", NEXT_DAY_TRADE_TIME, json!(125), "CNY"))
            .await
            .0,
        201
    );
    bench.wait_codes("P1", 2).await;
    assert_eq!(
        bench.simulator.summary(Some(SimulatorKind::Psp)).doubled,
        ["P1"]
    );
}

#[tokio::test]
async fn amounts_are_whole_minor_units_of_the_currency() {
    let bench = bench().await;
    // Its own decimals, which are not ISO's for ISK and IDR.
    for (reference, amount, currency) in [
        ("J", json!(700), "JPY"),
        ("B", json!(1_005), "BHD"),
        ("I", json!(200_000), "ISK"),
        ("R", json!(50_000), "IDR"),
    ] {
        assert_eq!(
            bench
                .payout(&ask(reference, TRADE_TIME, amount, currency))
                .await
                .0,
            201
        );
        bench.wait_codes(reference, 1).await;
    }
    let sums = bench.simulator.summary(None).sums;
    assert_eq!(
        (sums["JPY"].as_str(), sums["BHD"].as_str()),
        ("700", "1.005")
    );
    assert_eq!(
        (sums["ISK"].as_str(), sums["IDR"].as_str()),
        ("2000.00", "50000")
    );
    assert_eq!(
        bench.payout(&ask("V", TRADE_TIME, json!(1), "VND")).await.0,
        400
    );
    for amount in [json!(1.25), json!("125"), json!(0), json!(-1)] {
        assert_eq!(
            bench.payout(&ask("X", TRADE_TIME, amount, "CNY")).await.0,
            400
        );
    }
    let keys = secrets().of(SimulatorKind::Psp);
    let wrong_key = bench
        .psp(
            keys.current(),
            "other",
            "/v1/payouts",
            Some(&ask("X", TRADE_TIME, json!(1), "CNY")),
        )
        .await;
    assert_eq!(wrong_key.0, 400);
    let stranger = Secret::new("nobody-knows-this-secret");
    let unsigned = bench
        .psp(
            &stranger,
            "X",
            "/v1/payouts",
            Some(&ask("X", TRADE_TIME, json!(1), "CNY")),
        )
        .await;
    assert_eq!(unsigned.0, 401);
    assert_eq!(bench.simulator.book().len(), 4);
}

#[tokio::test]
async fn failures_and_returns_are_told_in_its_words() {
    let bench = bench().await;
    let script = |action| bench.script(SimulatorKind::Psp, "payee", action);
    script(ScriptedAction::Fail);
    assert_eq!(
        word(
            &bench
                .payout(&ask("F1", TRADE_TIME, json!(1), "CNY"))
                .await
                .1
        ),
        "failed:invalid_account"
    );
    script(ScriptedAction::FailLater { ms: 10 });
    assert_eq!(
        word(
            &bench
                .payout(&ask("F2", TRADE_TIME, json!(1), "CNY"))
                .await
                .1
        ),
        "pending"
    );
    assert_eq!(bench.wait_codes("F2", 1).await, ["failed:invalid_account"]);
    script(ScriptedAction::UnknownCode {
        code: "7777".into(),
        pays: false,
    });
    assert_eq!(
        word(
            &bench
                .payout(&ask("F3", TRADE_TIME, json!(1), "CNY"))
                .await
                .1
        ),
        "failed:7777"
    );
    assert_eq!(bench.by_reference("F3", &TRADE_TIME[..8]).await.0, 404);
    script(ScriptedAction::ReturnAfterSuccess { ms: 60 });
    bench.payout(&ask("F4", TRADE_TIME, json!(1), "CNY")).await;
    assert_eq!(bench.wait_codes("F4", 2).await, ["paid", "returned"]);
    script(ScriptedAction::JunkBody { pays: true });
    assert_eq!(
        bench.payout(&ask("F5", TRADE_TIME, json!(1), "CNY")).await,
        (200, Value::Null)
    );
    script(ScriptedAction::DuplicateCallback { times: 2 });
    bench.payout(&ask("F6", TRADE_TIME, json!(1), "CNY")).await;
    assert_eq!(bench.wait_codes("F6", 2).await, ["paid", "paid"]);
    script(ScriptedAction::CallbackBeforeReply);
    assert_eq!(
        word(
            &bench
                .payout(&ask("F7", TRADE_TIME, json!(1), "CNY"))
                .await
                .1
        ),
        "pending"
    );
    assert_eq!(bench.wait_codes("F7", 1).await, ["paid"]);
    let summary = bench.simulator.summary(Some(SimulatorKind::Psp));
    assert_eq!((summary.count, summary.returned), (4, 1));
}
