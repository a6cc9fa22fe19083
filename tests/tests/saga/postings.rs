//! A posting is booked once, whoever drives it, and only if its order asked for it.

use crate::saga::crash::{ExpectedAccount, check};
use crate::saga::hand::{SagaHand, deposit, withdraw};
use crate::saga::{quiet, settled};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_contract::order::OrderKind;
use sluice_core::intents::BookingResult;
use sluice_core::orders::OrderRef;
use sluice_tests::TestStage;

#[tokio::test(flavor = "multi_thread")]
async fn a_posting_driven_by_many_at_once_is_booked_once_and_a_forged_one_never()
-> anyhow::Result<()> {
    let mut set = TestStage::prepare(quiet()).await?;
    set.stage.start_core().await?;
    drop(set.stage.core.take());
    let hand = SagaHand::on(&set)?;
    hand.fund("many", 100).await?;
    let mut intents = hand
        .booking("order", withdraw("many", 10, OrderKind::CashOut, None))
        .await?;
    intents.extend(hand.booking("first", deposit("fresh", "d", 5)).await?);
    let drives = (0..8).map(|_| {
        let (saga, intents) = (hand.saga.clone(), intents.clone());
        tokio::spawn(async move { saga.drive(intents).await })
    });
    for driven in futures_util::future::join_all(drives).await {
        ensure!(
            driven??
                .iter()
                .all(|(_, done)| *done == Some(BookingResult::Booked)),
            "one driver was told otherwise"
        );
    }
    // The same payment under another key is booked once, whatever it says.
    let again = hand.booking("second", deposit("fresh", "d", 6)).await?;
    let driven = hand.saga.drive(again).await?;
    ensure!(
        matches!(driven[0].1, Some(BookingResult::Refused(_))),
        "{driven:?}"
    );

    a_forged_row_is_never_booked(&set, &hand).await?;
    settled(&set).await?;
    check(
        &set,
        &ExpectedAccount {
            account: "many".into(),
            parts: [90, 10, 0, 0],
            order: Some(("init", None)),
        },
    )
    .await?;
    check(
        &set,
        &ExpectedAccount {
            account: "fresh".into(),
            parts: [5, 0, 0, 0],
            order: None,
        },
    )
    .await
}

async fn a_forged_row_is_never_booked(set: &TestStage, hand: &SagaHand) -> anyhow::Result<()> {
    // A row that somebody else writes is never booked.
    let mut conn = set.stage.pool.get_conn().await?;
    let forged = format!(
        "INSERT INTO {}.booking_intent (account_id,posting_id,order_id,kind,order_kind,debit_book,credit_book,amount,currency,ref,\
         payment_no,client,idempotency_key,signature,attempts,created_us,due_us) VALUES ('many','dep-x','{}','deposit','cash_out',\
         'clearing.payments','available',1000,'CNY','x',NULL,'c','k','{}',0,1,1)",
        set.stage.schemas.orders,
        "0".repeat(32),
        "0".repeat(64)
    );
    conn.query_drop(forged).await?;
    let found = hand
        .saga
        .open_of(&[OrderRef::new("many", &"0".repeat(32))])
        .await?;
    ensure!(found.is_empty(), "{found:?}");
    conn.query_drop(format!(
        "DELETE FROM {}.booking_intent WHERE account_id='many'",
        set.stage.schemas.orders
    ))
    .await?;
    Ok(())
}
