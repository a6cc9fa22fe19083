//! Messages that can't be true together with what we know never overwrite it: failed after
//! success, another amount, another account, another channel's order, a serial
//! number that nobody knows. Each is a person's case, and a repeat is the same one.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::ids::serial_no;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use sluice_drill::channels::SimulatorKind;
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

const PAYEE: &str = "payee-of-all";

/// A notification: a good or a bad end, an amount in minor units, an account.
fn notice(kind: SimulatorKind, serial: &str, good: bool, minor: i64, to: &str) -> Value {
    let code = match (kind, good) {
        (SimulatorKind::NetsUnion, true) => "0000",
        (SimulatorKind::NetsUnion, false) => "1001",
        (SimulatorKind::UnionPay, true) => "00S",
        (SimulatorKind::UnionPay, false) => "00F",
        (SimulatorKind::Psp, true) => "paid",
        (SimulatorKind::Psp, false) => "failed",
    };
    if kind != SimulatorKind::Psp {
        let amount = rust_decimal::Decimal::new(minor, 2).to_string();
        return json!({ "serialNo": serial, "code": code, "amount": amount, "toAccount": to });
    }
    json!({ "id": "evt", "type": format!("payout.{code}"), "data": {
        "reference": serial, "status": code, "amount": minor, "currency": "CNY",
        "failure_code": if good { Value::Null } else { "account_closed".into() },
        "destination": { "account": to } } })
}

/// Tells it as the channel does; returns the HTTP status and how it was taken.
async fn tell(set: &TestStage, kind: SimulatorKind, body: &Value) -> anyhow::Result<(u16, Value)> {
    let keys = SigningKeys::load(
        &format!("channel_{kind}"),
        Some(&set.stage.dir.join("secrets")),
    )?;
    let now = (now_us() / 1_000_000).to_string();
    let signature = sign(keys.current(), now.parse()?, body.to_string().as_bytes());
    let both = format!("t={now},v1={signature}");
    let headers: Vec<(&str, &str)> = match kind {
        SimulatorKind::Psp => vec![("psp-signature", &both)],
        _ => vec![(SIGNATURE_HEADER, &signature), (TIMESTAMP_HEADER, &now)],
    };
    let (status, answer) = set
        .stage
        .client
        .post(&format!("/withdraw/notify/{kind}"), body, &headers)
        .await?;
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
        // The control: the truth again changes nothing.
        ensure!(
            tell(&set, kind, &notice(kind, &serial, true, 300, PAYEE)).await?
                == (200, "Already".into())
        );
        ensure!(cases(&set, &order).await?.is_empty());
        let odd = odd_messages(n, kind, &serial);
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
        seen.len() == 12 && seen.iter().all(|v| v.starts_with("channel_contradicts ")),
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
                ensure!(
                    tell(&set, kind, &notice(kind, &serial, true, 300, PAYEE))
                        .await?
                        .0
                        == 404,
                    "{kind} {serial}"
                );
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
            &notice(SimulatorKind::Psp, "x", true, 1, PAYEE),
            &[],
        )
        .await?;
    ensure!(
        status == 401 && cases(&set, "x").await?.is_empty(),
        "an unsigned notification: {status}"
    );
    set.all_is_well().await
}

/// Messages that can't be true together with a payment of 3.00 to the payee.
fn odd_messages(
    n: usize,
    kind: SimulatorKind,
    serial: &str,
) -> [(SimulatorKind, Value, &'static str); 4] {
    let other = SimulatorKind::ALL[(n + 1) % SimulatorKind::COUNT];
    [
        (
            kind,
            notice(kind, serial, false, 300, PAYEE),
            "failed after success",
        ),
        (
            kind,
            notice(kind, serial, true, 301, PAYEE),
            "the channel speaks of 3.01 CNY",
        ),
        (
            kind,
            notice(kind, serial, true, 300, "somebody-else"),
            "the channel speaks of account somebody-else",
        ),
        (
            other,
            notice(other, serial, false, 300, PAYEE),
            "speaks of an order that is",
        ),
    ]
}
