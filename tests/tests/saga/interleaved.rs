//! Two drivers of one booking, and a reader: what one does between two reads of another.

use super::*;
use crate::saga::hand::{SagaHand, deposit, withdraw};
use anyhow::Context;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderKind;
use sluice_core::accept::{IdempotentRequest, split_books};
use sluice_core::ledger::repo::end_lock_name;
use sluice_tests::SilentProxy;

pub(super) async fn stage() -> anyhow::Result<TestStage> {
    let mut set = TestStage::prepare(quiet()).await?;
    // It migrates, and leaves the rest to the hands.
    set.stage.start_core().await?;
    let mut core = set.stage.core.take().context("a core")?;
    core.terminate(Duration::from_secs(30)).await?;
    Ok(set)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_not_told_accepted_while_its_booking_is_refused() -> anyhow::Result<()> {
    let mut set = stage().await?;
    let driver = SagaHand::on(&set)?;
    driver.fund("P", 5).await?;
    let order = withdraw("P", 10, OrderKind::CashOut, None);
    let intents = driver.booking("poor", order.clone()).await?;

    let server = set.stage.mariadb.as_ref().context("a private server")?;
    let (port, direct) = (server.port, set.stage.url.clone());
    let proxy = SilentProxy::start(port).await?;
    set.stage.url = direct.replace(&format!(":{port}"), &format!(":{}", proxy.port));
    let repeater = SagaHand::on(&set)?;
    let request = IdempotentRequest {
        client: "local".into(),
        key: "poor".into(),
        scope: String::new(),
        request_hash: format!("{:064}", 0),
        repeat_only: false,
        booking: order,
        origin: sluice_contract::traces::RequestOrigin::fresh(),
    };
    // The repeat has read its key; the refusal frees it before the repeat reads the intent.
    proxy.shut_before("FROM booking_intent");
    let saga = repeater.saga.clone();
    let again = request.clone();
    let repeat = tokio::spawn(async move { split_books::open(&saga, &[&again], true).await });
    tokio::time::timeout(Duration::from_secs(30), proxy.is_shut())
        .await
        .context("the repeat has read no intent")?;
    driver.go_on(intents.clone(), 4).await?;
    proxy.open();
    ensure!(
        repeat.await?.is_err(),
        "the repeat was told what has become of an order that was refused"
    );
    // One that is beyond its caller's bounds was let in as a repeat, and stays one.
    let beyond = IdempotentRequest {
        repeat_only: true,
        ..request.clone()
    };
    let opened = split_books::open(&repeater.saga, &[&beyond], false).await?;
    ensure!(
        opened.intents.is_empty(),
        "booked anew, past its caller's bounds"
    );
    // Read again, the key is free: the request is booked anew.
    let opened = split_books::open(&repeater.saga, &[&request], true).await?;
    ensure!(opened.intents.len() == 1 && opened.intents[0].order_id != intents[0].order_id);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_at_a_ledger_apart_is_stamped_behind_its_accounts_lock() -> anyhow::Result<()> {
    let set = stage().await?;
    let hand = SagaHand::on(&set)?;
    hand.fund("E", 5).await?;
    let split = set.stage.split_books.as_ref().context("split books")?;
    let mut earlier = split.ledger_pool.get_conn().await?;
    let lock = format!("'{}'", end_lock_name(&set.stage.schemas, "E"));
    let got: Option<i64> = earlier
        .query_first(format!("SELECT GET_LOCK({lock},0)"))
        .await?;
    ensure!(
        got == Some(1),
        "the lock of E's entries is not free: {got:?}"
    );
    let intents = hand.booking("late", deposit("E", "late", 7)).await?;
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let released_us = now_us();
        earlier
            .query_drop(format!("DO RELEASE_LOCK({lock})"))
            .await?;
        anyhow::Ok(released_us)
    };
    let (posted, released_us) = tokio::join!(hand.go_on(intents, 3), release);
    posted?;
    let sql = format!(
        "SELECT MIN(created_us) FROM {}.entry WHERE account_id='E' AND amount=7",
        set.stage.schemas.ledger
    );
    let stamped: Option<i64> = earlier.query_first(sql).await?;
    let (stamped, released_us) = (stamped.context("no entry")?, released_us?);
    ensure!(
        stamped >= released_us,
        "stamped {} µs before the writer ahead of it was done: a reader by time may be past it",
        released_us - stamped
    );
    Ok(())
}
