//! Amounts as a provider counts them, where its decimals are not ISO's.

use crate::kinds::{accepted, deposit};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::json;
use sluice_contract::ids::serial_no;
use sluice_contract::order::OrderKind;
use sluice_tests::{TestStage, options};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_pays_what_was_asked_by_its_own_decimals_or_is_not_asked() -> anyhow::Result<()>
{
    let set = TestStage::up(options()).await?;
    for (n, (currency, asked)) in [
        ("ISK", "2000"),
        ("IDR", "50000.00"),
        ("CLP", "1000"),
        ("TWD", "100.00"),
        ("JPY", "700"),
        ("KWD", "1.234"),
    ]
    .into_iter()
    .enumerate()
    {
        let account = format!("P-{n}");
        deposit(&set, &account, &json!("100000"), currency).await?;
        let body = json!({ "fromAccountId": account, "toAccountId": format!("to-{n}"), "amount": asked,
                           "currency": currency, "channel": "psp" });
        let order = accepted(&set, OrderKind::CashOut, &format!("p-{n}"), body).await?;
        set.stage.wait_for_status(&order, "success").await?;
        let book = set.stage.book();
        let paid = book.iter().find(|p| p.serial_no == serial_no(&order));
        let paid = paid.context("not paid")?;
        ensure!(
            paid.amount == Decimal::from_str_exact(asked)? && paid.currency == currency,
            "{paid:?}"
        );
    }
    // Half a dollar that it can't count: not cut, not rounded, not sent.
    deposit(&set, "P-T", &json!("1000"), "TWD").await?;
    let body = json!({ "fromAccountId": "P-T", "toAccountId": "to-t", "amount": "100.50", "currency": "TWD" });
    let order = accepted(&set, OrderKind::CashOut, "p-t", body).await?;
    let route = route_of(&set, &order).await?;
    for said in [
        "psp takes TWD with 0 decimals, 100.5 has more",
        "netsunion is not known to take TWD",
        "unionpay is not known to take TWD",
    ] {
        ensure!(route.contains(said), "{route}");
    }
    set.stage.client.cancel(&order).await?;
    set.stage.wait_for_status(&order, "failed").await?;
    let book = set.stage.book();
    ensure!(book.iter().all(|p| p.serial_no != serial_no(&order)));
    set.all_is_well().await
}

/// Waits until somebody has tried to route the order, and tells why nobody takes it.
async fn route_of(set: &TestStage, order: &str) -> anyhow::Result<String> {
    let sql = format!(
        "SELECT route FROM {}.orders WHERE order_id=?",
        set.stage.schemas.orders
    );
    let mut conn = set.stage.pool.get_conn().await?;
    for _ in 0..300 {
        let found: Option<Option<String>> = conn.exec_first(&sql, (order,)).await?;
        if let Some(Some(route)) = found {
            return Ok(route);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("order {order} was never routed")
}
