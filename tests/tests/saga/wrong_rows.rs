//! Rows of orders and bookings that somebody changed between two steps.

use crate::identity::change_unseen;
use crate::recovery::wait_for_case;
use crate::saga::hand::{SagaHand, deposit, withdraw};
use crate::saga::quiet;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_contract::order::OrderKind;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_set_to_be_sent_before_its_reservation_is_not_paid() -> anyhow::Result<()>
{
    let mut set = TestStage::prepare(quiet()).await?;
    let hand = SagaHand::on(&set)?;
    // It has nothing that could be reserved.
    let ask = withdraw("poor", 10, OrderKind::CashOut, None);
    let order = hand.booking("poor", ask).await?[0].order_id.clone();
    let orders = set.stage.schemas.orders.clone();
    let update =
        format!("UPDATE {orders}.orders SET state='init',due_us=1 WHERE order_id='{order}'");
    ensure!(change_unseen(&set, &update).await? == 1, "{update}");
    set.stage.options.dispatch = true;
    set.stage.start_core().await?;
    wait_for_case(&set, &order, "altered open -").await?;
    ensure!(set.stage.book().is_empty(), "{:?}", set.stage.book());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_cannot_be_read_holds_up_no_other() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(quiet()).await?;
    let hand = SagaHand::on(&set)?;
    let mut spoilt = String::new();
    for n in 0..11 {
        let key = format!("open-{n}");
        let intents = hand.booking(&key, deposit("many", &key, 7)).await?;
        spoilt.clone_from(&intents[0].order_id);
    }
    let orders = set.stage.schemas.orders.clone();
    let update =
        format!("UPDATE {orders}.booking_intent SET currency='ZZZ' WHERE order_id='{spoilt}'");
    ensure!(change_unseen(&set, &update).await? == 1, "{update}");
    set.stage.start_core().await?;
    let left = format!("SELECT order_id FROM {orders}.booking_intent");
    let begun = Instant::now();
    loop {
        let open: Vec<String> = set.stage.pool.get_conn().await?.query(&left).await?;
        if open == [spoilt.clone()] {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(40), "open: {open:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    wait_for_case(&set, &spoilt, "unreadable open -").await?;
    let (_, answer) = set.stage.client.get("/accounts/many").await?;
    let available = &answer["data"]["balances"][0]["available"];
    ensure!(available == "70", "{answer}");
    Ok(())
}
