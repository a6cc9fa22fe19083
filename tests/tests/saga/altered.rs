//! An order that was changed beside the core while its money was being reserved, even where
//! no binlog shows it: the saga writes nothing for it, and seals nothing that somebody else
//! has put there.

use crate::identity::change_unseen;
use crate::recovery::{WAIT_TIMEOUT, wait_for_case};
use crate::saga::hand::{SagaHand, withdraw};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::ids::serial_no;
use sluice_contract::order::OrderKind;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Instant;

const CHANGES: [&str; 6] = [
    "to_account='thief'",
    "amount=amount*100",
    "request_mac=NULL",
    "attempts=1,channel='unionpay',trade_time='20260101000000'",
    "attempts=1,channel='unionpay'",
    "trade_time='20260101000000'",
];

/// The order's state, and its seal over how far it is.
async fn state(set: &TestStage, order: &str) -> anyhow::Result<(String, String)> {
    let sql = format!(
        "SELECT state,send_mac FROM {}.orders WHERE order_id='{order}'",
        set.stage.schemas.orders
    );
    let row = set.stage.pool.get_conn().await?.query_first(sql).await?;
    row.context("the order is there")
}

/// Bookings of the order that are still open.
async fn open_bookings(set: &TestStage, order: &str) -> anyhow::Result<Option<u64>> {
    let sql = format!(
        "SELECT COUNT(*) FROM {}.booking_intent WHERE order_id='{order}'",
        set.stage.schemas.orders
    );
    Ok(set.stage.pool.get_conn().await?.query_first(sql).await?)
}

/// Opens orders by hand, each stopped after another step, and changes all but the last two.
async fn open_and_change(set: &TestStage) -> anyhow::Result<Vec<String>> {
    let hand = SagaHand::on(set)?;
    let mut orders = Vec::new();
    for n in 0..CHANGES.len() + 2 {
        let account = format!("A{n:05}");
        let booking = withdraw(&account, 10, OrderKind::CashOut, None);
        let intents = hand.booking(&format!("waits-{n}"), booking).await?;
        orders.push(intents[0].order_id.clone());
        hand.go_on(intents, 1 + n as u32 % 3).await?;
    }
    for (order, change) in orders.iter().zip(CHANGES) {
        let table = &set.stage.schemas.orders;
        let update = format!("UPDATE {table}.orders SET {change} WHERE order_id='{order}'");
        ensure!(change_unseen(set, &update).await? == 1, "{change}");
    }
    Ok(orders)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sealed_for_an_order_that_was_changed_while_it_was_booked() -> anyhow::Result<()>
{
    let mut set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    Traffic::new("waits", 20).fund(&set.stage, 1_000).await?;
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    let orders = open_and_change(&set).await?;
    let mut before = Vec::new();
    for order in &orders[..CHANGES.len()] {
        before.push(state(&set, order).await?);
    }
    core.restart()?;
    let admin = set.stage.ports.address(set.stage.ports.core_admin);
    core.wait_ready(&admin, WAIT_TIMEOUT).await?;
    set.stage.core = Some(core);

    let (altered, honest) = orders.split_at(CHANGES.len());
    for order in honest {
        set.stage.wait_for_status(order, "success").await?;
    }
    for ((order, change), before) in altered.iter().zip(CHANGES).zip(&before) {
        wait_for_case(&set, order, "altered open -")
            .await
            .context(change)?;
        let found = state(&set, order).await?;
        ensure!(
            found == *before && found.0 == "booking",
            "{change}: {found:?}, not {before:?}"
        );
        ensure!(open_bookings(&set, order).await? == Some(1), "{change}");
    }
    set.everything_is_evaluated().await?;
    let found = set.verdicts().await?;
    for (n, order) in altered.iter().enumerate() {
        let verdict = format!("order_altered A{n:05} {order}");
        ensure!(found.iter().any(|v| v.starts_with(&verdict)), "{found:?}");
    }
    let book = set.stage.book();
    let is_honest = |serial: &str| honest.iter().any(|o| serial_no(o) == serial);
    ensure!(
        book.len() == honest.len() && book.iter().all(|p| is_honest(&p.serial_no)),
        "{book:?}"
    );
    goes_on_once_mended(&set, &altered[0]).await
}

/// Puts back what was asked: the booking, which stayed open, is learnt.
async fn goes_on_once_mended(set: &TestStage, order: &str) -> anyhow::Result<()> {
    let table = &set.stage.schemas.orders;
    let mend = format!("UPDATE {table}.orders SET to_account='payee' WHERE order_id='{order}'");
    ensure!(change_unseen(set, &mend).await? == 1);
    let begun = Instant::now();
    while open_bookings(set, order).await? != Some(0) {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "its booking stays open");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let found = state(set, order).await?;
    ensure!(found.0 == "init", "{found:?}");
    Ok(())
}
