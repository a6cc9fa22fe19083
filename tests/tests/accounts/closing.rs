//! Statements begin with stored days; a day that doesn't agree with the balance is not
//! stored; expensive reads stand in no queue and in nobody's way.

use crate::accounts::{core_alone, withdraw};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::sql::Pool;
use sluice_core::closing::{ClosingDay, DayClosing};
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

/// The very closing that a core runs.
fn closing(set: &TestStage) -> anyhow::Result<DayClosing> {
    let (url, schemas) = (&set.stage.url, &set.stage.schemas);
    Ok(DayClosing {
        balance: Pool::open(url, &schemas.balance, 2)?,
        ledger: Pool::open(url, &schemas.ledger, 2)?,
        together: true,
        schemas: set.stage.schemas.clone(),
        owner: "test".into(),
        orders: Pool::open(url, &schemas.orders, 2)?,
    })
}

/// Closes a day that ends when the test says so.
async fn close(set: &TestStage, until_us: i64) -> anyhow::Result<ClosingDay> {
    let mut day = ClosingDay::new(until_us);
    go_on(&closing(set)?, &mut day, now_us()).await?;
    Ok(day)
}

/// Goes on once the core leaves the lease.
async fn go_on(closing: &DayClosing, day: &mut ClosingDay, at_us: i64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !closing.go_on(day, at_us).await? {
        ensure!(
            begun.elapsed() < Duration::from_secs(90),
            "the core keeps the lease"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// The balance in the statement's first line.
async fn opening(set: &TestStage, from_us: i64) -> anyhow::Result<Decimal> {
    let core = set.stage.ports.url(set.stage.ports.core);
    let url = format!("{core}/accounts/A-1/statement.csv?from={from_us}");
    let text = reqwest::get(url).await?.error_for_status()?.text().await?;
    let line = text.lines().nth(1).context("no opening")?;
    let balance = line.split(',').nth(6).context("no balance")?;
    Ok(balance.parse()?)
}

async fn stored_days(set: &TestStage) -> anyhow::Result<i64> {
    let sql = format!(
        "SELECT COUNT(DISTINCT until_us) FROM {}.daily_balance WHERE account_id='A-1'",
        set.stage.schemas.ledger
    );
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_first(sql).await?.context("no count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_begins_with_a_stored_day_that_agrees_with_the_balance() -> anyhow::Result<()> {
    let set = core_alone().await?;
    let body = json!({ "accountId": "A-1", "amount": "100.00", "currency": "CNY", "bizNo": "b-1" });
    set.stage.client.post("/deposit", &body, &[]).await?;
    withdraw(&set, "first", 30).await?;
    let first = now_us();
    close(&set, first).await?;
    ensure!(stored_days(&set).await? == 1);
    withdraw(&set, "second", 20).await?;
    let second = now_us();
    // The stored day, and the entries since.
    ensure!(opening(&set, first).await? == Decimal::new(9_700, 2));
    ensure!(opening(&set, second).await? == Decimal::new(9_500, 2));
    close(&set, second).await?;
    ensure!(stored_days(&set).await? == 2);
    ensure!(opening(&set, second).await? == Decimal::new(9_500, 2));

    // It is the stored day that is read, not all of history.
    let (ledger, balance) = (&set.stage.schemas.ledger, &set.stage.schemas.balance);
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "UPDATE {ledger}.daily_balance SET held=held+5 WHERE until_us={second} AND book='available'"
    ))
    .await?;
    ensure!(opening(&set, second).await? == Decimal::new(10_000, 2));

    // Nothing is stored while entries and balance disagree.
    withdraw(&set, "third", 1).await?;
    conn.query_drop(format!(
        "UPDATE {balance}.balance SET balance=balance+1,available=available+1 WHERE account_id='A-1'"
    ))
    .await?;
    let day = close(&set, now_us()).await?;
    ensure!(stored_days(&set).await? == 2, "a wrong day was stored");
    ensure!(day.open_accounts() == 1 && !day.is_done());
    Ok(())
}

/// Makes an account with money that came in.
async fn fund(set: &TestStage, account: &str) -> anyhow::Result<()> {
    let body =
        json!({ "accountId": account, "amount": "100.00", "currency": "CNY", "bizNo": account });
    let (status, answer) = set.stage.client.post("/deposit", &body, &[]).await?;
    ensure!(status == 202, "{status} {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_can_not_be_closed_is_tried_again_by_itself() -> anyhow::Result<()> {
    let set = core_alone().await?;
    for account in ["A-0", "A-1", "A-2"] {
        fund(&set, account).await?;
    }
    let (balance, ledger) = (&set.stage.schemas.balance, &set.stage.schemas.ledger);
    let mut conn = set.stage.pool.get_conn().await?;
    let by = |cents: i64| {
        format!(
            "UPDATE {balance}.balance SET balance=balance+{cents},available=available+{cents} WHERE account_id='A-1'"
        )
    };
    conn.query_drop(by(1)).await?;
    // A newer core has made a row that this one can't read: it harms no other currency.
    let newer = format!(
        "INSERT INTO {balance}.balance (account_id,currency,balance,available,reserved,intermediate,intermediate_reserved,version,updated_us) \
         VALUES ('A-2','XQQ',0,0,0,0,0,1,1)"
    );
    conn.query_drop(newer).await?;
    let closing = closing(&set)?;
    let (begun, mut day) = (now_us(), ClosingDay::new(now_us()));
    go_on(&closing, &mut day, begun).await?;
    let stored = format!("SELECT DISTINCT account_id FROM {ledger}.daily_balance ORDER BY 1");
    let first: Vec<String> = conn.query(&stored).await?;
    ensure!(first == ["A-0", "A-2"], "{first:?}");
    ensure!(day.open_accounts() == 1 && !day.is_done());

    // Only that account is tried again, once it is due: the others' days would come again.
    conn.query_drop(by(-1)).await?;
    conn.query_drop(format!(
        "DELETE FROM {ledger}.daily_balance WHERE account_id='A-0'"
    ))
    .await?;
    go_on(&closing, &mut day, begun + 30_000_000).await?;
    ensure!(day.open_accounts() == 1, "tried too soon");
    go_on(&closing, &mut day, begun + 60_000_000).await?;
    ensure!(day.is_done());
    let then: Vec<String> = conn.query(&stored).await?;
    ensure!(then == ["A-1", "A-2"], "{then:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_hang_are_few_and_hold_up_nobody_else() -> anyhow::Result<()> {
    let set = core_alone().await?;
    let body = json!({ "accountId": "A-1", "amount": "100.00", "currency": "CNY", "bizNo": "b-1" });
    set.stage.client.post("/deposit", &body, &[]).await?;
    let mut blocker = set.stage.pool.get_conn().await?;
    let ledger = &set.stage.schemas.ledger;
    blocker
        .query_drop(format!("LOCK TABLES {ledger}.daily_balance WRITE"))
        .await?;
    let core = set.stage.ports.url(set.stage.ports.core);
    let url = format!("{core}/accounts/A-1/statement.csv?from=1");
    let all = futures_util::future::try_join_all((0..40).map(|_| reqwest::get(&url)));
    let (answers, balance) = tokio::join!(all, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let answer = set.stage.client.get("/accounts/A-1").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        blocker.query_drop("UNLOCK TABLES").await?;
        answer
    });
    let (status, answer) = balance?;
    ensure!(status == 200, "{status} {answer}");
    let (mut busy, mut done) = (0, 0);
    for answer in answers? {
        match answer.status().as_u16() {
            503 => {
                busy += 1;
                ensure!(answer.headers().contains_key("retry-after"));
            }
            200 => done += 1,
            // The server ended it by its own bound.
            500 => {}
            other => anyhow::bail!("{other}"),
        }
    }
    ensure!(busy >= 30 && done <= 10, "{busy} busy, {done} done");
    Ok(())
}
