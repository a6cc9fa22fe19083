//! Cash-outs, settlements and refunds: each behind its own breaker point, none beyond
//! what was captured, in any currency, from several cores at once.

mod breaker_points;
mod currencies;
mod hot_account;
mod payments;
mod provider_decimals;
mod refunds;

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED, PAYMENT_SUCCEEDED};
use sluice_contract::order::OrderKind;
use sluice_drill::stage::client::StageClient;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

fn business_event(
    kind: &str,
    account: &str,
    biz_no: &str,
    amount: &str,
    currency: &str,
) -> anyhow::Result<BusinessEvent> {
    Ok(BusinessEvent {
        id: format!("{kind}-{biz_no}"),
        kind: kind.into(),
        account_id: account.into(),
        biz_no: biz_no.into(),
        amount: Decimal::from_str_exact(amount)?,
        currency: currency.into(),
        occurred_us: now_us(),
        payer_account_id: (kind == PAYMENT_SUCCEEDED).then(|| "payer".to_owned()),
        client: None,
    })
}

/// Gives an account available money: told, then booked. `amount` is JSON.
async fn deposit(
    set: &TestStage,
    account: &str,
    amount: &Value,
    currency: &str,
) -> anyhow::Result<()> {
    let text = amount.as_str().map_or(amount.to_string(), str::to_owned);
    let biz_no = format!("dep-{account}-{currency}");
    set.stage
        .events
        .send(&business_event(
            DEPOSIT_RECEIVED,
            account,
            &biz_no,
            &text,
            currency,
        )?)
        .await?;
    let body =
        json!({ "accountId": account, "amount": amount, "currency": currency, "bizNo": biz_no });
    let (status, answer) = set.stage.client.post("/deposit", &body, &[]).await?;
    ensure!(status == 202, "{answer}");
    Ok(())
}

/// Whatever `field` of the account's balance in `currency` is.
async fn holds(
    set: &TestStage,
    account: &str,
    currency: &str,
    field: &str,
) -> anyhow::Result<Value> {
    let (_, answer) = set
        .stage
        .client
        .get(&format!("/accounts/{account}"))
        .await?;
    let balances = answer["data"]["balances"].as_array().context("balances")?;
    let of = balances
        .iter()
        .find(|b| b["currency"] == currency)
        .with_context(|| answer.to_string())?;
    Ok(of[field].clone())
}

async fn captured(set: &TestStage, account: &str, payment: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let mut conn = set.stage.pool.get_conn().await?;
        let sql = format!(
            "SELECT 1 FROM {}.capture WHERE account_id=? AND payment_no=?",
            set.stage.schemas.balance
        );
        if conn
            .exec_first::<u8, _, _>(sql, (account, payment))
            .await?
            .is_some()
        {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(40),
            "{payment} was not captured"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(
    client: &StageClient,
    path: &str,
    key: &str,
    body: Value,
) -> anyhow::Result<(u16, Value)> {
    client.post(path, &body, &[("idempotent-key", key)]).await
}

/// An accepted order's id.
async fn accepted(
    set: &TestStage,
    kind: OrderKind,
    key: &str,
    body: Value,
) -> anyhow::Result<String> {
    let (status, answer) = ask(&set.stage.client, &format!("/{}", kind.word()), key, body).await?;
    ensure!(status == 202, "{key}: {status} {answer}");
    let id = answer["data"][format!("{}OrderId", kind.word())]
        .as_str()
        .context("an order's id")?;
    Ok(id.to_owned())
}

fn body(kind: OrderKind, amount: &str) -> Value {
    match kind {
        OrderKind::CashOut => {
            json!({ "fromAccountId": "M", "toAccountId": "bank-M", "amount": amount })
        }
        OrderKind::Settlement => json!({ "accountId": "M", "amount": amount }),
        OrderKind::Refund => {
            json!({ "accountId": "M", "paymentNo": "P-1", "toAccountId": "payer", "amount": amount })
        }
    }
}
