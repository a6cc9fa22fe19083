//! The simulators over real HTTP, as the core sees them.

use super::*;
use crate::load::http;
use axum::http::StatusCode;
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::clock::now_us;
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;
use sluice_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, verify};
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

pub(super) const TRADE_TIME: &str = "20261121183000";
pub(super) const NEXT_DAY_TRADE_TIME: &str = "20261122000100";

/// What the core's side was told: channel and message, in order.
type ReceivedCallbacks = Arc<Mutex<Vec<(String, ChannelReply)>>>;

pub(super) struct SimulatorBench {
    pub simulator: SimulatorServer,
    pub base: String,
    told: ReceivedCallbacks,
    stop: CancellationToken,
}

impl Drop for SimulatorBench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) fn secrets() -> SimulatorSecrets {
    SimulatorSecrets::fixed(|kind| {
        SigningKeys::new(Secret::new(&format!("{kind}-secret-of-tests")), None)
    })
}

/// Takes callbacks; refuses the first `deaf` of them.
async fn core_side(deaf: usize) -> (String, ReceivedCallbacks) {
    let told = ReceivedCallbacks::default();
    let (sink, refusals) = (told.clone(), Arc::new(Mutex::new(deaf)));
    let notify = move |axum::extract::Path(channel): axum::extract::Path<String>,
                       headers: axum::http::HeaderMap,
                       body: String| async move {
        let secrets = secrets();
        let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
        let kind: SimulatorKind = channel.parse().unwrap();
        let keys = secrets.of(kind);
        let (time, signature) = match kind {
            SimulatorKind::Psp => header("psp-signature")
                .unwrap()
                .strip_prefix("t=")
                .unwrap()
                .split_once(",v1=")
                .unwrap(),
            _ => (
                header(TIMESTAMP_HEADER).unwrap(),
                header(SIGNATURE_HEADER).unwrap(),
            ),
        };
        verify(
            keys.current(),
            now_us() / 1_000_000,
            Some(time),
            Some(signature),
            body.as_bytes(),
        )
        .unwrap();
        let mut refusals = refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        sink.lock().unwrap().push((channel, heard(kind, &body)));
        StatusCode::OK
    };
    let app = axum::Router::new().route("/withdraw/notify/{channel}", axum::routing::post(notify));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, told)
}

/// A callback, the psp's in the words of the others.
fn heard(kind: SimulatorKind, body: &str) -> ChannelReply {
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    if kind == SimulatorKind::Psp {
        let data = body["data"].take();
        assert_eq!(
            body["type"],
            format!("payout.{}", data["status"].as_str().unwrap())
        );
        let code = tests_psp::word(&data);
        body = serde_json::json!({ "serialNo": data["reference"], "code": code });
    }
    serde_json::from_value(body).unwrap()
}

async fn bench_with(book: Option<&Path>, deaf: usize) -> SimulatorBench {
    let (callback_url, told) = core_side(deaf).await;
    let unionpay = SimulatedChannelConfig {
        callback_delay_ms: 30,
        ..SimulatedChannelConfig::default()
    };
    let book_file = book.map(Into::into);
    let config = SimulatorConfig {
        callback_url,
        book_file,
        unionpay,
        seed: Some(7),
        ..SimulatorConfig::default()
    };
    // The tests' own client needs it.
    sluice_contract::telemetry::install_crypto();
    let simulator = SimulatorServer::new(config, secrets()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    tokio::spawn(simulator.clone().serve(listener, stop.clone()));
    SimulatorBench {
        simulator,
        base,
        told,
        stop,
    }
}

pub(super) async fn bench() -> SimulatorBench {
    bench_with(None, 0).await
}

fn payment(serial: &str, trade_time: &str, to_account: &str, cents: i64) -> ChannelPay {
    ChannelPay {
        serial_no: serial.into(),
        trade_time: trade_time.into(),
        to_account: to_account.into(),
        amount: Decimal::new(cents, 2),
        currency: "CNY".into(),
    }
}

impl SimulatorBench {
    /// Status, and the reply if its signature holds and it is one.
    async fn call(
        &self,
        kind: SimulatorKind,
        call: &str,
        body: &impl Serialize,
    ) -> (u16, Option<ChannelReply>) {
        let (keys, body) = (secrets().of(kind), serde_json::to_vec(body).unwrap());
        let secret = keys.current();
        let now = now_us() / 1_000_000;
        let answer = reqwest::Client::new()
            .post(format!("http://{}/{kind}/{call}", self.base))
            .header(SIGNATURE_HEADER, sign(secret, now, &body))
            .header(TIMESTAMP_HEADER, now)
            .body(body)
            .send()
            .await
            .unwrap();
        let header = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        let (time, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        if status < 500 {
            verify(secret, now, time.as_deref(), signature.as_deref(), &body).unwrap();
        }
        (status, serde_json::from_slice(&body).ok())
    }

    async fn pay(
        &self,
        kind: SimulatorKind,
        serial: &str,
        trade_time: &str,
        to: &str,
        cents: i64,
    ) -> String {
        let (status, reply) = self
            .call(kind, "pay", &payment(serial, trade_time, to, cents))
            .await;
        reply.map_or(format!("HTTP {status}"), |reply| reply.code)
    }

    async fn query(&self, kind: SimulatorKind, serial: &str, trade_time: &str) -> String {
        let query = ChannelQuery {
            serial_no: serial.into(),
            trade_time: trade_time.into(),
        };
        self.call(kind, "query", &query).await.1.unwrap().code
    }

    fn codes(&self, serial: &str) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter()
            .filter(|(_, r)| r.serial_no == serial)
            .map(|(_, r)| r.code.clone())
            .collect()
    }

    pub async fn wait_codes(&self, serial: &str, count: usize) -> Vec<String> {
        for _ in 0..300 {
            if self.codes(serial).len() >= count {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        // Long enough for one too many to arrive.
        sleep(Duration::from_millis(120)).await;
        self.codes(serial)
    }

    pub fn script(&self, kind: SimulatorKind, pattern: &str, action: ScriptedAction) {
        self.simulator
            .add_script(kind, ActionScript::new(pattern, action))
            .unwrap();
    }
}

#[tokio::test]
async fn one_serial_on_one_day_is_paid_once() {
    let bench = bench().await;
    for (kind, first, duplicate, conflict, paid) in [
        (SimulatorKind::NetsUnion, "0000", "9002", "1003", "0000"),
        (SimulatorKind::UnionPay, "00", "03", "12", "00S"),
    ] {
        assert_eq!(bench.pay(kind, "S1", TRADE_TIME, "acct", 1234).await, first);
        assert_eq!(
            bench.pay(kind, "S1", TRADE_TIME, "acct", 1234).await,
            duplicate
        );
        // Later the same day is the same day.
        assert_eq!(
            bench.pay(kind, "S1", "20261121235959", "acct", 1234).await,
            duplicate
        );
        assert_eq!(
            bench.pay(kind, "S1", TRADE_TIME, "acct", 1235).await,
            conflict
        );
        assert_eq!(
            bench.pay(kind, "S1", TRADE_TIME, "other", 1234).await,
            conflict
        );
        sleep(Duration::from_millis(100)).await;
        assert_eq!(bench.query(kind, "S1", TRADE_TIME).await, paid);
        assert_eq!(bench.simulator.summary(Some(kind)).count, 1);
        assert!(bench.simulator.summary(Some(kind)).doubled.is_empty());
    }
    // Each channel paid the serial number once, which is twice in all.
    assert_eq!(bench.simulator.summary(None).doubled, ["S1"]);
}

#[tokio::test]
async fn many_at_once_are_paid_once() {
    let bench = bench().await;
    let calls = (0..40).map(|_| bench.pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1));
    let codes = futures_util::future::join_all(calls).await;
    assert_eq!(codes.iter().filter(|c| *c == "0000").count(), 1);
    assert_eq!(codes.iter().filter(|c| *c == "9002").count(), 39);
    assert_eq!(bench.simulator.book().len(), 1);
}

#[tokio::test]
async fn another_day_pays_again() {
    let bench = bench().await;
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1234)
            .await,
        "0000"
    );
    assert_eq!(
        bench
            .query(SimulatorKind::NetsUnion, "S1", NEXT_DAY_TRADE_TIME)
            .await,
        "9001"
    );
    assert_eq!(
        bench
            .pay(
                SimulatorKind::NetsUnion,
                "S1",
                NEXT_DAY_TRADE_TIME,
                "acct",
                1234
            )
            .await,
        "0000"
    );
    let summary = bench.simulator.summary(Some(SimulatorKind::NetsUnion));
    assert_eq!((summary.count, summary.doubled), (2, vec!["S1".to_owned()]));
    assert_eq!(summary.sums["CNY"], "24.68");
}

#[tokio::test]
async fn the_book_holds_what_was_paid_whatever_was_said() {
    let bench = bench().await;
    let kind = SimulatorKind::NetsUnion;
    let hold_ms = 50;
    for (serial, action, said, found) in [
        (
            "T1",
            ScriptedAction::TimeoutAfterPaying { hold_ms },
            "HTTP 504",
            "0000",
        ),
        (
            "T2",
            ScriptedAction::TimeoutWithoutPaying { hold_ms },
            "HTTP 504",
            "9001",
        ),
        (
            "T3",
            ScriptedAction::UnknownCode {
                code: "7777".into(),
                pays: true,
            },
            "7777",
            "0000",
        ),
        (
            "T4",
            ScriptedAction::UnknownCode {
                code: "7777".into(),
                pays: false,
            },
            "7777",
            "9001",
        ),
        ("T5", ScriptedAction::Http500AfterPaying, "HTTP 500", "0000"),
        (
            "T6",
            ScriptedAction::JunkBody { pays: true },
            "HTTP 200",
            "0000",
        ),
        (
            "T7",
            ScriptedAction::JunkBody { pays: false },
            "HTTP 200",
            "9001",
        ),
        ("T8", ScriptedAction::Fail, "1001", "1001"),
        ("T9", ScriptedAction::NoCallback, "2001", "0000"),
    ] {
        bench.script(kind, &format!("*-{serial}"), action);
        assert_eq!(
            bench
                .pay(kind, serial, TRADE_TIME, &format!("acct-{serial}"), 100)
                .await,
            said,
            "{serial}"
        );
        sleep(Duration::from_millis(150)).await;
        assert_eq!(
            bench.query(kind, serial, TRADE_TIME).await,
            found,
            "{serial}"
        );
        let paid = bench
            .simulator
            .book()
            .iter()
            .filter(|p| p.serial_no == serial)
            .count();
        assert_eq!(paid, usize::from(found == "0000"), "{serial}");
    }
    // A refused trade stays refused.
    assert_eq!(
        bench.pay(kind, "T8", TRADE_TIME, "acct-T8", 100).await,
        "9002"
    );
    assert_eq!(bench.simulator.book().len(), 5);
}

#[tokio::test]
async fn results_are_told_by_callback() {
    let bench = bench().await;
    let kind = SimulatorKind::UnionPay;
    bench.script(
        kind,
        "twice",
        ScriptedAction::DuplicateCallback { times: 3 },
    );
    bench.script(kind, "bad", ScriptedAction::FailLater { ms: 20 });
    bench.script(kind, "back", ScriptedAction::ReturnAfterSuccess { ms: 60 });
    bench.script(kind, "never", ScriptedAction::NoCallback);
    assert_eq!(bench.pay(kind, "U1", TRADE_TIME, "plain", 1).await, "00");
    assert_eq!(bench.query(kind, "U1", TRADE_TIME).await, "05");
    assert_eq!(bench.wait_codes("U1", 1).await, ["00S"]);
    for (serial, to, codes) in [
        ("U2", "twice", vec!["00S", "00S", "00S"]),
        ("U3", "bad", vec!["00F"]),
        ("U4", "back", vec!["00S", "00R"]),
        ("U5", "never", vec![]),
    ] {
        assert_eq!(bench.pay(kind, serial, TRADE_TIME, to, 1).await, "00");
        assert_eq!(bench.wait_codes(serial, codes.len()).await, codes, "{to}");
    }
    assert_eq!(bench.query(kind, "U4", TRADE_TIME).await, "00R");
    let summary = bench.simulator.summary(Some(kind));
    assert_eq!((summary.count, summary.returned), (4, 1));
    bench.script(
        SimulatorKind::NetsUnion,
        "slow",
        ScriptedAction::InProcessThenNotify { ms: 400 },
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "N1", TRADE_TIME, "slow", 1)
            .await,
        "2001"
    );
    assert_eq!(
        bench
            .query(SimulatorKind::NetsUnion, "N1", TRADE_TIME)
            .await,
        "2001"
    );
    assert_eq!(bench.wait_codes("N1", 1).await, ["0000"]);
}

#[tokio::test]
async fn a_callback_can_come_before_the_reply() {
    let bench = bench().await;
    bench.script(
        SimulatorKind::UnionPay,
        "early",
        ScriptedAction::CallbackBeforeReply,
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::UnionPay, "E1", TRADE_TIME, "early", 1)
            .await,
        "00"
    );
    assert_eq!(bench.codes("E1"), ["00S"]);
    assert_eq!(bench.wait_codes("E1", 1).await.len(), 1);
}

#[tokio::test]
async fn a_callback_is_repeated_until_it_is_taken() {
    let bench = bench_with(None, 3).await;
    assert_eq!(
        bench
            .pay(SimulatorKind::UnionPay, "R1", TRADE_TIME, "plain", 1)
            .await,
        "00"
    );
    assert_eq!(bench.wait_codes("R1", 1).await, ["00S"]);
    assert_eq!(bench.simulator.callbacks(), (0, 0));
}

#[tokio::test]
async fn only_signed_requests_are_heard() {
    let bench = bench().await;
    let body = serde_json::to_string(&payment("S1", TRADE_TIME, "acct", 1)).unwrap();
    let (status, answer) = http::post(&bench.base, "/netsunion/pay", &body)
        .await
        .unwrap();
    let reply: ChannelReply = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, reply.code.as_str()), (401, "SIG"));
    // Well signed, but by the other channel's secret.
    let now = now_us() / 1_000_000;
    let answer = reqwest::Client::new()
        .post(format!("http://{}/netsunion/pay", bench.base))
        .header(
            SIGNATURE_HEADER,
            sign(
                secrets().of(SimulatorKind::UnionPay).current(),
                now,
                body.as_bytes(),
            ),
        )
        .header(TIMESTAMP_HEADER, now)
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    assert!(bench.simulator.book().is_empty());
}

#[tokio::test]
async fn the_book_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("book.jsonl");
    {
        let bench = bench_with(Some(&file), 0).await;
        bench.script(
            SimulatorKind::UnionPay,
            "open",
            ScriptedAction::InProcessThenNotify { ms: 60_000 },
        );
        assert_eq!(
            bench
                .pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1234)
                .await,
            "0000"
        );
        assert_eq!(
            bench
                .pay(SimulatorKind::UnionPay, "S2", TRADE_TIME, "open", 5)
                .await,
            "00"
        );
    }
    // A line torn by a kill.
    let mut text = std::fs::read(&file).unwrap();
    text.extend_from_slice(b"{\"channel\":\"nets");
    std::fs::write(&file, text).unwrap();
    let bench = bench_with(Some(&file), 0).await;
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1234)
            .await,
        "9002"
    );
    // What was in process is settled and told.
    assert_eq!(bench.wait_codes("S2", 1).await, ["00S"]);
    let book = bench.simulator.book();
    assert_eq!(
        book.iter()
            .map(|p| p.serial_no.as_str())
            .collect::<Vec<_>>(),
        ["S1", "S2"]
    );
    assert_eq!(bench.simulator.summary(None).sums["CNY"], "12.39");
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
    let (_, summary) = http::get(&bench.base, "/book/summary").await.unwrap();
    assert_eq!(
        serde_json::from_slice::<BookSummary>(&summary)
            .unwrap()
            .count,
        2
    );
}

#[test]
fn settings_are_read_and_contradictions_refused() {
    let text = r#"
        callback_url = "http://127.0.0.1:7100"
        [unionpay]
        callback_delay_ms = 20
        rates = { late_callback = 100, ms = 50 }
        [[unionpay.scripts]]
        match = "ret-"
        action = { kind = "return_after_success", ms = 10 }
    "#;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("channel.toml");
    std::fs::write(&file, text).unwrap();
    let config = SimulatorConfig::load(&file).unwrap();
    assert_eq!(
        config.unionpay.scripts[0].action,
        ScriptedAction::ReturnAfterSuccess { ms: 10 }
    );
    std::fs::write(&file, text.replace("unionpay", "netsunion")).unwrap();
    let error = format!("{:#}", SimulatorConfig::load(&file).unwrap_err());
    assert!(
        error.contains("netsunion.scripts") && error.contains("never returns"),
        "{error}"
    );
    std::fs::write(&file, "listen = '0.0.0.0:1'").unwrap();
    assert!(SimulatorConfig::load(&file).is_err());
}
