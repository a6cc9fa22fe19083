//! The hazard itself: another date is another payment to a channel.

use anyhow::{Context, ensure};
use serde_json::json;
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::ids::serial_no;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{
    MessageDirection, MessageScope, NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, key_id,
    new_nonce,
};
use sluice_drill::channels::SimulatorKind;
use sluice_tests::TestStage;
use std::time::Duration;

/// The control: with the new date, the same serial number is paid a second time.
pub(super) async fn hazard(
    set: &TestStage,
    zone: &str,
    today: &str,
    orders: &[(SimulatorKind, String)],
) -> anyhow::Result<()> {
    let now = trade_time(now_us(), zone)?;
    ensure!(now[..8] != *today, "it is still {today}");
    for kind in SimulatorKind::ALL {
        let (_, order) = orders
            .iter()
            .find(|(k, _)| *k == kind)
            .context("no order")?;
        let serial = serial_no(order);
        let times = || {
            set.stage
                .sims
                .book()
                .iter()
                .filter(|p| p.serial_no == serial)
                .count()
        };
        for (trade_time, want) in [(format!("{today}235959"), 1), (now.clone(), 2)] {
            pay(set, kind, &serial, &trade_time).await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            ensure!(
                times() == want,
                "{kind} on {trade_time}: paid {} times, not {want}",
                times()
            );
        }
    }
    Ok(())
}

/// Sends a payment as a core would that forgets the first trade time.
async fn pay(
    set: &TestStage,
    kind: SimulatorKind,
    serial: &str,
    trade_time: &str,
) -> anyhow::Result<()> {
    let keys = SigningKeys::load(
        &format!("channel_{kind}"),
        Some(&set.stage.dir.join("secrets")),
    )?;
    let (now, base) = (
        now_us() / 1_000_000,
        set.stage.ports.url(set.stage.ports.sims),
    );
    let mut request = reqwest::Client::new().post(match kind {
        SimulatorKind::Psp => format!("{base}/psp/v1/payouts"),
        _ => format!("{base}/{kind}/pay"),
    });
    let to = set
        .stage
        .sims
        .book()
        .iter()
        .find(|p| p.serial_no == serial)
        .map(|p| p.to_account.clone());
    let body = match kind {
        SimulatorKind::Psp => {
            json!({ "reference": serial, "amount": 300, "currency": "CNY", "created": trade_time,
                             "destination": { "account": to } })
        }
        _ => {
            json!({ "serialNo": serial, "tradeTime": trade_time, "toAccount": to, "amount": "3.00",
                     "currency": "CNY" })
        }
    }
    .to_string();
    let nonce = new_nonce();
    let path = match kind {
        SimulatorKind::Psp => "/v1/payouts".to_owned(),
        SimulatorKind::NetsUnion | SimulatorKind::UnionPay => format!("/{kind}/pay"),
    };
    let scope = MessageScope {
        direction: MessageDirection::Pay,
        channel: kind.id(),
        path: &path,
        nonce: &nonce,
    };
    let code = scope.sign(keys.current(), now, body.as_bytes());
    request = match kind {
        SimulatorKind::Psp => request
            .header("psp-signature", format!("t={now},n={nonce},v2={code}"))
            .header("psp-key-id", key_id(keys.current()))
            .header("idempotency-key", serial),
        _ => request
            .header(SIGNATURE_HEADER, code)
            .header(TIMESTAMP_HEADER, now)
            .header(NONCE_HEADER, &nonce),
    };
    let reply = request.body(body).send().await?;
    ensure!(
        reply.status().is_success(),
        "{kind}: HTTP {}",
        reply.status()
    );
    Ok(())
}
