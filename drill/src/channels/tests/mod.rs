//! The simulators over real HTTP, as the core sees them.

mod callbacks;
mod http;
mod late_and_lost;
mod payments;
mod psp;
mod settings;

use super::*;
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

/// Messages that the core's side got: channel and message, in order.
type ReceivedCallbacks = Arc<Mutex<Vec<(String, ChannelReply)>>>;

pub(super) struct SimulatorBench {
    pub simulator: SimulatorServer,
    pub base: String,
    received: ReceivedCallbacks,
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
            SimulatorKind::NetsUnion | SimulatorKind::UnionPay => (
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
        sink.lock().unwrap().push((channel, received(kind, &body)));
        StatusCode::OK
    };
    let app = axum::Router::new().route("/withdraw/notify/{channel}", axum::routing::post(notify));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, told)
}

/// A callback, the psp's in the words of the others.
fn received(kind: SimulatorKind, body: &str) -> ChannelReply {
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    match kind {
        SimulatorKind::NetsUnion | SimulatorKind::UnionPay => {}
        SimulatorKind::Psp => {
            let data = body["data"].take();
            assert_eq!(
                body["type"],
                format!("payout.{}", data["status"].as_str().unwrap())
            );
            let code = psp::word(&data);
            body = serde_json::json!({ "serialNo": data["reference"], "code": code });
        }
    }
    serde_json::from_value(body).unwrap()
}

async fn bench_with(book: Option<&Path>, deaf: usize) -> SimulatorBench {
    let (callback_url, received) = core_side(deaf).await;
    let unionpay = SimulatedChannelConfig {
        callback_delay_ms: 30,
        ..SimulatedChannelConfig::default()
    };
    let book_file = book.map(Into::into);
    let config = SimulatorConfig {
        callback_url,
        book_file,
        seed: Some(7),
        ..SimulatorConfig::default().with(SimulatorKind::UnionPay, unionpay)
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
        received,
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
        let told = self.received.lock().unwrap();
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
