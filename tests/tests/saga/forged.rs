//! Results of bookings that somebody else writes at the balance service: whoever has the
//! database's password is believed nothing, and a person is told.

use crate::recovery::wait_for_case;
use crate::saga::hand::{SagaHand, deposit, withdraw};
use crate::saga::interleaved::stage;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::order::OrderKind;
use sluice_tests::TestStage;
use std::time::Duration;

/// Changes the results of bookings as a thief does; tells how many rows.
async fn at_results(set: &TestStage, sql: &str) -> anyhow::Result<u64> {
    let split_books = set.stage.split_books.as_ref().context("split books")?;
    let mut conn = split_books.balance_pool.get_conn().await?;
    let table = format!("{}.booking_result", set.stage.schemas.balance);
    conn.query_drop(sql.replace("booking_result", &table))
        .await?;
    Ok(conn.affected_rows())
}

/// Money of the account: available and reserved.
async fn held(set: &TestStage, account: &str) -> anyhow::Result<(Decimal, Decimal)> {
    let split_books = set.stage.split_books.as_ref().context("split books")?;
    let mut conn = split_books.balance_pool.get_conn().await?;
    let sql = format!(
        "SELECT available,reserved FROM {}.balance WHERE account_id=?",
        set.stage.schemas.balance
    );
    conn.exec_first(sql, (account,))
        .await?
        .with_context(|| format!("{account} has no balance"))
}

async fn state_of(set: &TestStage, order: &str) -> anyhow::Result<String> {
    let sql = format!(
        "SELECT state FROM {}.orders WHERE order_id=?",
        set.stage.schemas.orders
    );
    let mut conn = set.stage.pool.get_conn().await?;
    conn.exec_first(sql, (order,)).await?.context("no order")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_reservation_was_forged_is_not_sent() -> anyhow::Result<()> {
    let mut set = stage().await?;
    let hand = SagaHand::on(&set)?;
    // A genuine result of another order, for its seal.
    hand.fund("F-0", 50).await?;
    let genuine = withdraw("F-0", 10, OrderKind::CashOut, None);
    let genuine = hand.booking("genuine", genuine).await?;
    hand.go_on(genuine.clone(), 4).await?;
    let copied = format!(
        "(SELECT mac FROM booking_result AS g WHERE posting_id='{}')",
        genuine[0].posting.posting_id
    );
    // The key's name is genuine, the rest is not.
    let invented = format!("CONCAT(LEFT({copied},11),REPEAT('0',32))");
    let mut orders = Vec::new();
    for (n, mac) in ["NULL", &invented, &copied].into_iter().enumerate() {
        let account = format!("F-{}", n + 1);
        hand.fund(&account, 5).await?;
        // More than the account has: the reservation would be refused.
        let wanted = withdraw(&account, 10, OrderKind::CashOut, None);
        let intents = hand.booking(&account, wanted).await?;
        let (posting, order) = (&intents[0].posting.posting_id, &intents[0].order_id);
        let forged = format!(
            "INSERT INTO booking_result (account_id,posting_id,order_id,outcome,created_us,mac) \
             SELECT '{account}','{posting}','{order}','booked',1,{mac}"
        );
        ensure!(at_results(&set, &forged).await? == 1, "{mac}");
        hand.go_on(intents.clone(), 4).await?;
        ensure!(state_of(&set, order).await? == "booking", "{mac}");
        wait_for_case(&set, order, "altered open -").await?;
        orders.push((account, order.clone(), posting.clone()));
    }
    // A core comes to the same end, again and again.
    set.stage.start_core().await?;
    tokio::time::sleep(Duration::from_secs(7)).await;
    for (account, order, _) in &orders {
        ensure!(state_of(&set, order).await? == "booking", "{account}");
        let has = held(&set, account).await?;
        ensure!(
            has == (Decimal::from(5), Decimal::ZERO),
            "{account}: {has:?}"
        );
    }
    // A person takes the forged rows away: the bookings are decided as they should have been.
    for (_, _, posting) in &orders {
        let remove = format!("DELETE FROM booking_result WHERE posting_id='{posting}'");
        at_results(&set, &remove).await?;
    }
    super::settled(&set).await?;
    for (account, order, _) in &orders {
        ensure!(state_of(&set, order).await? == "failed", "{account}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_came_in_once_is_booked_once_whatever_becomes_of_its_result()
-> anyhow::Result<()> {
    let set = stage().await?;
    let hand = SagaHand::on(&set)?;
    let changes = [
        "UPDATE booking_result SET order_id='0',outcome='overflow'",
        "UPDATE booking_result SET order_id='0',outcome='overflow',mac=NULL",
        "UPDATE booking_result SET outcome='overflow'",
        "UPDATE booking_result SET posting_id=CONCAT(posting_id,'-moved')",
        "UPDATE booking_result SET account_id='elsewhere'",
        "DELETE FROM booking_result",
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let account = format!("D-{n}");
        let came = hand.booking(&account, deposit(&account, "once", 7)).await?;
        hand.go_on(came.clone(), 4).await?;
        let sql = format!("{change} WHERE account_id='{account}'");
        ensure!(at_results(&set, &sql).await? == 1, "{change}");
        // The genuine intent, with its genuine signature, once more.
        hand.go_on(came.clone(), 4).await?;
        let has = held(&set, &account).await?;
        ensure!(
            has == (Decimal::from(7), Decimal::ZERO),
            "{change}: {has:?}"
        );
        wait_for_case(&set, &came[0].order_id, "altered open -").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_was_kept_aside_takes_no_booking_back() -> anyhow::Result<()> {
    let set = stage().await?;
    let hand = SagaHand::on(&set)?;
    let most = 9_000_000_000_000_000;
    hand.fund("R", most).await?;
    // Refused, for a balance beyond its bound: the row and its seal are genuine.
    let refused = hand.booking("first", deposit("R", "twice", most)).await?;
    hand.go_on(refused.clone(), 4).await?;
    let split_books = set.stage.split_books.as_ref().context("split books")?;
    let (mut conn, balance) = (
        split_books.balance_pool.get_conn().await?,
        &set.stage.schemas.balance,
    );
    let sql = format!("SELECT outcome,mac FROM {balance}.booking_result WHERE order_id=?");
    let kept: Option<(String, String)> = conn.exec_first(sql, (&refused[0].order_id,)).await?;
    let (outcome, mac) = kept.context("the refusal has no sealed row")?;
    ensure!(outcome == "overflow", "{outcome}");
    let room = format!("UPDATE {balance}.balance SET balance=1,available=1 WHERE account_id='R'");
    conn.query_drop(room).await?;

    let booked = hand.booking("second", deposit("R", "twice", 7)).await?;
    hand.go_on(booked.clone(), 4).await?;
    ensure!(held(&set, "R").await?.0 == Decimal::from(8), "asked anew");
    let put_back = format!(
        "UPDATE booking_result SET order_id='{}',outcome='{outcome}',mac='{mac}' WHERE order_id='{}'",
        refused[0].order_id, booked[0].order_id
    );
    ensure!(at_results(&set, &put_back).await? == 1);
    hand.go_on(booked.clone(), 4).await?;
    ensure!(held(&set, "R").await?.0 == Decimal::from(8), "booked twice");
    wait_for_case(&set, &booked[0].order_id, "altered open -").await
}
