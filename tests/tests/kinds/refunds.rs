//! A refund that fails or comes back gives back what it took.

use crate::kinds::{accepted, ask, business_event, captured, holds};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::event::PAYMENT_SUCCEEDED;
use sluice_contract::ids::serial_no;
use sluice_contract::order::OrderKind;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind as Channel};
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_or_comes_back_gives_back_and_bad_requests_are_named()
-> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    set.stage
        .events
        .send(&business_event(
            PAYMENT_SUCCEEDED,
            "M",
            "P-1",
            "100.00",
            "CNY",
        )?)
        .await?;
    for (payment, amount, payer) in [
        ("P-2", "50.00", "payer"),
        ("P-fails.payer", "100.00", "fails.payer"),
        ("P-back.payer", "100.00", "back.payer"),
    ] {
        let mut paid = business_event(PAYMENT_SUCCEEDED, "M", payment, amount, "CNY")?;
        paid.payer_account_id = Some(payer.to_owned());
        set.stage.events.send(&paid).await?;
    }
    set.stage.sims.add_script(
        Channel::NetsUnion,
        ActionScript::new("fails.", ScriptedAction::Fail),
    )?;
    set.stage.sims.add_script(
        Channel::UnionPay,
        ActionScript::new("back.", ScriptedAction::ReturnAfterSuccess { ms: 200 }),
    )?;
    captured(&set, "M", "P-1").await?;
    for payment in ["P-2", "P-fails.payer", "P-back.payer"] {
        captured(&set, "M", payment).await?;
    }
    ends_that_give_back(&set).await?;
    let order = accepted(
        &set,
        OrderKind::Refund,
        "good",
        refund("payer", "80.00", "unionpay"),
    )
    .await?;
    set.stage
        .wait_for_status_of(OrderKind::Refund, &order, "success")
        .await?;
    bad_requests_are_named(&set).await?;
    the_rest_is_settled_once(&set).await?;
    ensure!(
        taken_of(&set, "P-1").await? == (Decimal::from(80), Decimal::from(20)),
        "{:?}",
        taken_of(&set, "P-1").await?
    );
    set.all_is_well().await?;
    is_published(&set, "refund.returned").await
}

/// Sums refunded and settled of a payment.
async fn taken_of(set: &TestStage, payment: &str) -> anyhow::Result<(Decimal, Decimal)> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT refunded,settled FROM {}.capture WHERE payment_no=?",
        set.stage.schemas.balance
    );
    let row: Option<(Decimal, Decimal)> = conn.exec_first(sql, (payment,)).await?;
    row.context("no such payment")
}

async fn is_published(set: &TestStage, kind: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !set.published()?.iter().any(|e| e.kind == kind) {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{kind} was not told"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// A refund to a payer of the payment that it made: each has one.
fn refund(to: &str, amount: &str, channel: &str) -> Value {
    let payment = if to == "payer" {
        "P-1".to_owned()
    } else {
        format!("P-{to}")
    };
    json!({ "accountId": "M", "paymentNo": payment, "toAccountId": to, "amount": amount, "currency": "CNY",
            "bankCode": "ICBC", "userId": "u-1", "bizNo": format!("R-{to}-{amount}"), "channel": channel })
}

fn settle(more: Value) -> Value {
    let mut body =
        json!({ "accountId": "M", "amount": "20.01", "currency": "CNY", "paymentNo": "P-1" });
    more.as_object()
        .into_iter()
        .flatten()
        .for_each(|(k, v)| body[k] = v.clone());
    body
}

fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().map(|o| o.remove(field));
    body
}

/// A refund that fails, and one that comes back.
async fn ends_that_give_back(set: &TestStage) -> anyhow::Result<()> {
    for (to, channel, end) in [
        ("fails.payer", "netsunion", "failed"),
        ("back.payer", "unionpay", "returned"),
    ] {
        let order = accepted(set, OrderKind::Refund, to, refund(to, "80.00", channel)).await?;
        set.stage
            .wait_for_status_of(OrderKind::Refund, &order, end)
            .await?;
        ensure!(
            taken_of(set, &format!("P-{to}")).await? == (Decimal::ZERO, Decimal::ZERO),
            "{to}: {:?}",
            taken_of(set, &format!("P-{to}")).await?
        );
        ensure!(
            holds(set, "M", "CNY", "intermediate").await? == "350",
            "{to}"
        );
        let paid = set
            .stage
            .book()
            .iter()
            .any(|p| p.serial_no == serial_no(&order) && p.returned);
        ensure!(paid == (end == "returned"), "{to}: {:?}", set.stage.book());
    }
    Ok(())
}

async fn bad_requests_are_named(set: &TestStage) -> anyhow::Result<()> {
    for (path, body, status, code, names) in bad_requests() {
        let (got, answer) = ask(&set.stage.client, path, "kept", body.clone()).await?;
        let msg = answer["msg"].as_str().unwrap_or_default();
        ensure!(
            got == status && answer["code"] == code && msg.contains(names),
            "{path} {body}: {got} {answer}"
        );
    }
    let (_, answer) = set
        .stage
        .client
        .post("/refund", &refund("payer", "1", "unionpay"), &[])
        .await?;
    ensure!(answer["code"] == 40004, "{answer}");
    Ok(())
}

async fn the_rest_is_settled_once(set: &TestStage) -> anyhow::Result<()> {
    // The rest of the payment, under the key that no refusal burnt; then again.
    let rest = settle(json!({ "amount": "20.00" }));
    let order = accepted(set, OrderKind::Settlement, "kept", rest.clone()).await?;
    ensure!(
        accepted(set, OrderKind::Settlement, "kept", rest).await? == order,
        "a repeat is the same order"
    );
    let (status, answer) = ask(
        &set.stage.client,
        "/refund",
        "kept",
        refund("payer", "20.00", "unionpay"),
    )
    .await?;
    ensure!(
        status == 422 && answer["code"] == 42200,
        "another kind under the key: {answer}"
    );
    set.stage
        .wait_for_status_of(OrderKind::Settlement, &order, "success")
        .await?;
    Ok(())
}

/// Path, body, status, code, and the field that the answer names.
type BadOrder = (&'static str, Value, u16, u32, &'static str);

fn bad_requests() -> Vec<BadOrder> {
    let mut all = beyond_the_payment();
    all.extend(malformed());
    all
}

fn beyond_the_payment() -> Vec<BadOrder> {
    vec![
        ("/settlement", settle(json!({})), 422, 42204, "paymentNo"),
        (
            "/refund",
            refund("payer", "20.01", "unionpay"),
            422,
            42204,
            "paymentNo",
        ),
        (
            "/settlement",
            settle(json!({ "paymentNo": "P-9" })),
            422,
            42203,
            "paymentNo",
        ),
        (
            "/settlement",
            settle(json!({ "currency": "USD" })),
            422,
            42201,
            "currency",
        ),
        (
            "/settlement",
            settle(json!({ "accountId": "nobody" })),
            422,
            42201,
            "accountId",
        ),
        (
            "/settlement",
            without(settle(json!({ "amount": "270.01" })), "paymentNo"),
            422,
            42202,
            "amount",
        ),
    ]
}

fn malformed() -> Vec<BadOrder> {
    vec![
        (
            "/settlement",
            settle(json!({ "channel": "unionpay" })),
            400,
            40001,
            "channel",
        ),
        (
            "/settlement",
            without(settle(json!({})), "accountId"),
            400,
            40001,
            "accountId",
        ),
        (
            "/refund",
            without(refund("payer", "1", "unionpay"), "paymentNo"),
            400,
            40001,
            "paymentNo",
        ),
        (
            "/refund",
            without(refund("payer", "1", "unionpay"), "toAccountId"),
            400,
            40001,
            "toAccountId",
        ),
        (
            "/refund",
            refund("payer", "1.001", "unionpay"),
            400,
            40002,
            "amount",
        ),
        (
            "/refund",
            refund("payer", "1", "pigeon"),
            400,
            40001,
            "channel",
        ),
    ]
}
