//! Messages that can't be true together with what we know never overwrite it: failed after
//! success, another amount, another account, another channel's order, a serial
//! number that nobody knows. Each is a person's case, and a repeat is the same one.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::ids::serial_no;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{
    MessageDirection, MessageScope, NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER,
    callback_path, new_nonce,
};
use sluice_drill::channels::SimulatorKind;
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

const PAYEE: &str = "payee-of-all";

/// A notification of a payment, as its channel words it.
#[derive(Clone, Copy)]
struct StatedPayment<'a> {
    serial: &'a str,
    time: &'a str,
    good: bool,
    /// Minor units.
    minor: i64,
    currency: &'a str,
    to: &'a str,
}

fn notice(kind: SimulatorKind, stated: StatedPayment<'_>) -> Value {
    let code = match (kind, stated.good) {
        (SimulatorKind::NetsUnion, true) => "0000",
        (SimulatorKind::NetsUnion, false) => "1001",
        (SimulatorKind::UnionPay, true) => "00S",
        (SimulatorKind::UnionPay, false) => "00F",
        (SimulatorKind::Psp, true) => "paid",
        (SimulatorKind::Psp, false) => "failed",
    };
    if kind != SimulatorKind::Psp {
        let amount = rust_decimal::Decimal::new(stated.minor, 2).to_string();
        return json!({ "serialNo": stated.serial, "tradeTime": stated.time, "code": code, "amount": amount,
                       "currency": stated.currency, "toAccount": stated.to });
    }
    json!({ "id": "evt", "type": format!("payout.{code}"), "data": {
        "reference": stated.serial, "created": stated.time, "status": code, "amount": stated.minor,
        "currency": stated.currency,
        "failure_code": if stated.good { Value::Null } else { "account_closed".into() },
        "destination": { "account": stated.to } } })
}

/// Tells it as the channel does; returns the HTTP status and how it was taken.
async fn tell(set: &TestStage, kind: SimulatorKind, body: &Value) -> anyhow::Result<(u16, Value)> {
    let keys = SigningKeys::load(
        &format!("channel_{kind}"),
        Some(&set.stage.dir.join("secrets")),
    )?;
    let (now, nonce) = ((now_us() / 1_000_000).to_string(), new_nonce());
    let path = callback_path(kind.id());
    let scope = MessageScope {
        direction: MessageDirection::Callback,
        channel: kind.id(),
        path: &path,
        nonce: &nonce,
    };
    let code = scope.sign(keys.current(), now.parse()?, body.to_string().as_bytes());
    let all = format!("t={now},n={nonce},v2={code}");
    let headers: Vec<(&str, &str)> = match kind {
        SimulatorKind::Psp => vec![("psp-signature", &all)],
        _ => vec![
            (SIGNATURE_HEADER, &code),
            (TIMESTAMP_HEADER, &now),
            (NONCE_HEADER, &nonce),
        ],
    };
    let (status, answer) = set.stage.client.post(&path, body, &headers).await?;
    Ok((status, answer["data"]["taken"].clone()))
}

async fn cases(set: &TestStage, order: &str) -> anyhow::Result<Vec<(String, String, String)>> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT account_id,kind,detail FROM {}.cases WHERE order_id=? ORDER BY opened_us,detail",
        set.stage.schemas.orders
    );
    Ok(conn.exec(sql, (order,)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictions_open_cases_and_overwrite_nothing() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("odd", 10).fund(&set.stage, 1_000).await?;
    for (n, kind) in SimulatorKind::ALL.into_iter().enumerate() {
        let ask = UpstreamSubmit {
            from: format!("A{n:05}"),
            to: PAYEE.into(),
            amount: "3.00".into(),
            transaction_id: format!("odd-{n}"),
            biz_no: format!("odd-{n}"),
            channel: kind.to_string(),
        };
        let order = set.stage.client.submit(&ask).await?;
        set.stage.wait_for_status(&order, "success").await?;
        let before = set.stage.client.order(&order).await?;
        let serial = serial_no(&order);
        let time = before["tradeTime"].as_str().context("no trade time")?;
        let truth = StatedPayment {
            serial: &serial,
            time,
            good: true,
            minor: 300,
            currency: "CNY",
            to: PAYEE,
        };
        // The control: the truth again changes nothing.
        ensure!(tell(&set, kind, &notice(kind, truth)).await? == (200, "Already".into()));
        ensure!(cases(&set, &order).await?.is_empty());
        let odd = odd_messages(n, kind, truth);
        for (at, (from, body, says)) in odd.iter().enumerate() {
            for _ in 0..2 {
                let taken = tell(&set, *from, body).await?;
                ensure!(
                    taken == (200, "Contradiction".into()),
                    "{kind} {body}: {taken:?}"
                );
            }
            let found = cases(&set, &order).await?;
            let says = found.iter().filter(|(account, case, detail)| {
                *account == ask.from && case == "contradiction" && detail.contains(says)
            });
            ensure!(
                says.count() == 1 && found.len() == at + 1,
                "{kind} {body}: {found:?}"
            );
        }
        ensure!(
            set.stage.client.order(&order).await? == before,
            "{kind}: the order has changed"
        );
    }
    set.all_is_well().await?;
    // The sidecar has seen every one of them.
    let seen = set.verdicts().await?;
    ensure!(
        seen.len() == 18 && seen.iter().all(|v| v.starts_with("channel_contradicts ")),
        "{seen:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_serial_number_is_one_case_however_often_it_is_told() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let long = "serial number of 汉字, and a long one at that".to_owned();
    for kind in SimulatorKind::ALL {
        for serial in [format!("{:032X}", 77), "not-hex".to_owned(), long.clone()] {
            for _ in 0..2 {
                let stated = notice(kind, nobodys(&serial));
                ensure!(tell(&set, kind, &stated).await?.0 == 404, "{kind} {serial}");
            }
            let stored: String = serial
                .chars()
                .map(|c| if c.is_ascii_graphic() { c } else { '?' })
                .take(32)
                .collect();
            let found = cases(&set, &stored).await?;
            let own: Vec<_> = found
                .iter()
                .filter(|(_, _, detail)| detail.starts_with(kind.id()))
                .collect();
            ensure!(
                own.len() == 1 && own[0].0 == "-" && own[0].1 == "unknown_serial",
                "{found:?}"
            );
        }
    }
    // Unsigned, it is nobody's word.
    let (status, _) = set
        .stage
        .client
        .post(
            "/withdraw/notify/psp",
            &notice(SimulatorKind::Psp, nobodys("x")),
            &[],
        )
        .await?;
    ensure!(
        status == 401 && cases(&set, "x").await?.is_empty(),
        "an unsigned notification: {status}"
    );
    set.all_is_well().await
}

/// A payment that nobody asked for.
fn nobodys(serial: &str) -> StatedPayment<'_> {
    StatedPayment {
        serial,
        time: "20261122023000",
        good: true,
        minor: 300,
        currency: "CNY",
        to: PAYEE,
    }
}

/// Messages that can't be true together with a payment of 3.00 CNY to the payee.
fn odd_messages<'a>(
    n: usize,
    kind: SimulatorKind,
    truth: StatedPayment<'a>,
) -> [(SimulatorKind, Value, &'static str); 6] {
    let other = SimulatorKind::ALL[(n + 1) % SimulatorKind::COUNT];
    let failed = StatedPayment {
        good: false,
        ..truth
    };
    let own = |stated: StatedPayment<'a>, says| (kind, notice(kind, stated), says);
    [
        own(failed, "failed after success"),
        own(
            StatedPayment {
                minor: 301,
                ..truth
            },
            "speaks of amount 3.01",
        ),
        own(
            StatedPayment {
                currency: "USD",
                ..truth
            },
            "speaks of currency USD",
        ),
        own(
            StatedPayment {
                time: "20261122023000",
                ..truth
            },
            "speaks of trade time 20261122023000",
        ),
        own(
            StatedPayment {
                to: "somebody-else",
                ..truth
            },
            "speaks of account somebody-else",
        ),
        (other, notice(other, failed), "speaks of an order that is"),
    ]
}
