//! Statements are exact over many pages.

use crate::accounts::{amount, core_alone, withdraw};
use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use serde_json::json;
use sluice_tests::TestStage;

/// The statement's lines as columns, its head left out.
async fn statement(set: &TestStage, query: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let url = format!(
        "{}/accounts/A-1/statement.csv?{query}",
        set.stage.ports.url(set.stage.ports.core)
    );
    let reply = reqwest::get(url).await?.error_for_status()?;
    let header = |name: &str| {
        reply
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    ensure!(
        header("content-type").starts_with("text/csv"),
        "{}",
        header("content-type")
    );
    ensure!(
        header("content-disposition").contains("statement-A-1-CNY-"),
        "{}",
        header("content-disposition")
    );
    let text = reply.text().await?;
    let mut lines = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap_or_default();
    ensure!(
        head == [
            "time",
            "posting",
            "kind",
            "reference",
            "debit",
            "credit",
            "balance",
            "currency"
        ],
        "{head:?}"
    );
    Ok(lines.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_exact_over_many_pages_and_continues_where_the_last_one_ended()
-> anyhow::Result<()> {
    let set = core_alone().await?;
    set.stage
        .client
        .deposit("A-1", Decimal::from(1_000), "-leading")
        .await?;
    withdraw(&set, "one", 700).await?;
    let middle = sluice_contract::clock::now_us();
    withdraw(&set, "two", 550).await?;
    let (_, answer) = set.stage.client.get("/accounts/A-1").await?;
    let shown = &answer["data"]["balances"][0];
    ensure!(
        shown["available"] == "875" && shown["reserved"] == "125" && shown["intermediate"] == "0",
        "{shown}"
    );

    let whole = statement(&set, "").await?;
    ensure!(whole.len() == 1 + 1 + 1_250, "{} lines", whole.len());
    ensure!(
        whole[0][2] == "opening" && whole[0][6] == "0.00",
        "{:?}",
        whole[0]
    );
    ensure!(
        whole[1][3] == "'-leading" && whole[1][5] == "1000.00",
        "{:?}",
        whole[1]
    );
    let mut balance = Decimal::ZERO;
    for line in &whole[1..] {
        balance += amount(&line[5])? - amount(&line[4])?;
        ensure!(amount(&line[6])? == balance, "{line:?}: {balance}");
    }
    ensure!(balance == Decimal::from(875), "{balance}");
    let ahead = statement(&set, &format!("to={middle}")).await?;
    let behind = statement(&set, &format!("from={middle}")).await?;
    ensure!(
        ahead.last().context("a line")?[6] == behind[0][6] && behind[0][6] == "930.00",
        "{:?}",
        behind[0]
    );
    ensure!(
        ahead.len() - 1 + behind.len() - 1 == whole.len() - 1,
        "{} and {}",
        ahead.len(),
        behind.len()
    );
    let reserved = statement(&set, "book=reserved&from=2020-01-01&to=2099-12-31").await?;
    ensure!(
        reserved.last().context("a line")?[6] == "125.00",
        "{:?}",
        reserved.last()
    );

    bad_queries_are_named(&set).await
}

async fn bad_queries_are_named(set: &TestStage) -> anyhow::Result<()> {
    for (query, status, names) in [
        ("from=yesterday", 400, "from"),
        ("from=2026-02-01&to=2026-01-01", 400, "to"),
        ("book=clearing.payments", 400, "book"),
        ("currency=JPY", 400, "currency"),
        ("currency=jpy", 400, "currency"),
        ("until=5", 400, "until"),
    ] {
        let (got, answer) = set
            .stage
            .client
            .get(&format!("/accounts/A-1/statement.csv?{query}"))
            .await?;
        ensure!(
            got == status && answer["msg"].as_str().unwrap_or_default().contains(names),
            "{query}: {got} {answer}"
        );
    }
    let (status, _) = set
        .stage
        .client
        .get("/accounts/nobody/statement.csv")
        .await?;
    ensure!(status == 404, "{status}");
    let (status, _) = set
        .stage
        .client
        .post("/accounts/A-1/entries", &json!({}), &[])
        .await?;
    ensure!(status == 404, "{status}");
    Ok(())
}
