//! Amounts keep the decimals of their currency from request to payout.

use crate::kinds::{accepted, ask, business_event, captured, deposit, holds};
use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::event::PAYMENT_SUCCEEDED;
use sluice_contract::ids::serial_no;
use sluice_contract::order::OrderKind;
use sluice_tests::{TestStage, options};

#[tokio::test(flavor = "multi_thread")]
async fn every_currency_has_its_own_decimals_from_request_to_payout() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    // JSON as written: a number keeps its own digits.
    let number = |text: &str| serde_json::from_str::<Value>(text);
    let cases = [
        ("JPY", json!("1000000"), number("100")?, "100", "100.0"),
        (
            "CNY",
            number("1000.10")?,
            json!("999.99"),
            "999.99",
            "0.001",
        ),
        (
            "BHD",
            number("1000.001")?,
            number("1.234")?,
            "1.234",
            "1.2345",
        ),
        ("BHD", json!("5"), json!("0.001"), "0.001", "0.0001"),
    ];
    for (n, (currency, given, asked, paid, too_fine)) in cases.into_iter().enumerate() {
        let account = format!("C-{n}");
        deposit(&set, &account, &given, currency).await?;
        let body = |amount: &Value| {
            json!({ "fromAccountId": account, "toAccountId": format!("to-{n}"), "amount": amount, "currency": currency,
                    "channel": "netsunion" })
        };
        for wrong in [json!(too_fine), number(too_fine)?] {
            let (status, answer) = ask(
                &set.stage.client,
                "/withdraw",
                &format!("c-{n}"),
                body(&wrong),
            )
            .await?;
            ensure!(
                status == 400 && answer["code"] == 40002,
                "{currency} {wrong}: {answer}"
            );
        }
        let order = accepted(&set, OrderKind::CashOut, &format!("c-{n}"), body(&asked)).await?;
        set.stage.wait_for_status(&order, "success").await?;
        ensure!(
            set.stage.client.order(&order).await?["amount"] == paid,
            "{}",
            set.stage.client.order(&order).await?
        );
        let left = set
            .stage
            .book()
            .into_iter()
            .find(|p| p.serial_no == serial_no(&order))
            .context("not paid")?;
        ensure!(
            left.amount == Decimal::from_str_exact(paid)? && left.currency == currency,
            "{left:?}"
        );
        let given =
            Decimal::from_str_exact(&given.as_str().map_or(given.to_string(), str::to_owned))?;
        let rest = (given - left.amount).normalize().to_string();
        ensure!(
            holds(&set, &account, currency, "available").await? == rest.as_str(),
            "{currency}"
        );
    }
    refunded_to_the_last_thousandth(&set).await?;
    set.all_is_well().await
}

async fn refunded_to_the_last_thousandth(set: &TestStage) -> anyhow::Result<()> {
    // A payment in dinars, refunded to the last of its thousandths.
    set.stage
        .events
        .send(&business_event(
            PAYMENT_SUCCEEDED,
            "M",
            "P-BHD",
            "7.125",
            "BHD",
        )?)
        .await?;
    captured(set, "M", "P-BHD").await?;
    let refund = json!({ "accountId": "M", "paymentNo": "P-BHD", "toAccountId": "payer", "amount": serde_json::from_str::<Value>("7.125")?,
                         "currency": "BHD", "channel": "unionpay" });
    let order = accepted(set, OrderKind::Refund, "bhd", refund).await?;
    set.stage
        .wait_for_status_of(OrderKind::Refund, &order, "success")
        .await?;
    ensure!(
        holds(set, "M", "BHD", "intermediate").await? == "0",
        "not refunded"
    );
    Ok(())
}
