//! Days of split books: a booking that is at the balance and not yet at the ledger is no
//! difference, and what differs for good is stored by nobody.

use crate::saga::hand::{SagaHand, deposit};
use crate::saga::interleaved::stage;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::sql::Pool;
use sluice_core::closing::{ClosingDay, DayClosing};
use sluice_tests::TestStage;

const HOUR_US: i64 = 3_600_000_000;

fn closing(set: &TestStage) -> anyhow::Result<DayClosing> {
    let split_books = set.stage.split_books.as_ref().context("split books")?;
    let schemas = &set.stage.schemas;
    Ok(DayClosing {
        balance: Pool::open(&split_books.balance.url(), &schemas.balance, 2)?,
        ledger: Pool::open(&split_books.ledger.url(), &schemas.ledger, 2)?,
        together: false,
        schemas: schemas.clone(),
        owner: "test".into(),
        orders: Pool::open(&set.stage.url, &schemas.orders, 2)?,
    })
}

/// Ends of the days that are stored of the account.
async fn stored(set: &TestStage, account: &str) -> anyhow::Result<Vec<i64>> {
    let split_books = set.stage.split_books.as_ref().context("split books")?;
    let sql = format!(
        "SELECT DISTINCT until_us FROM {}.daily_balance WHERE account_id=?",
        set.stage.schemas.ledger
    );
    let mut conn = split_books.ledger_pool.get_conn().await?;
    Ok(conn.exec(sql, (account,)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_across_midnight_is_no_difference() -> anyhow::Result<()> {
    let set = stage().await?;
    let hand = SagaHand::on(&set)?;
    hand.fund("M", 5).await?;
    // The balance has it before the end of the day, the ledger after it.
    let late = hand.booking("late", deposit("M", "late", 7)).await?;
    hand.go_on(late.clone(), 2).await?;
    let midnight = now_us();
    let (closing, mut day) = (closing(&set)?, ClosingDay::new(midnight));
    // The core is gone, and its lease is not.
    let free = format!("UPDATE {}.lease SET expires_us=0", set.stage.schemas.guard);
    set.stage.pool.get_conn().await?.query_drop(free).await?;
    ensure!(closing.go_on(&mut day, midnight).await?, "the lease");
    ensure!(day.open_accounts() == 1, "a booking is half made");
    ensure!(stored(&set, "M").await?.is_empty());
    hand.go_on(late, 4).await?;
    ensure!(closing.go_on(&mut day, midnight + HOUR_US).await?);
    ensure!(day.is_done() && stored(&set, "M").await? == [midnight]);

    // What moved after the end of the day is compared too.
    hand.fund("N", 5).await?;
    let end = now_us();
    let more = hand.booking("more", deposit("N", "more", 7)).await?;
    hand.go_on(more, 4).await?;
    let split_books = set.stage.split_books.as_ref().context("split books")?;
    let mut conn = split_books.balance_pool.get_conn().await?;
    let balance = &set.stage.schemas.balance;
    let by = |cents: i64| {
        format!(
            "UPDATE {balance}.balance SET balance=balance+{cents},available=available+{cents} WHERE account_id='N'"
        )
    };
    conn.query_drop(by(1)).await?;
    let mut day = ClosingDay::new(end);
    for hours in 0..10 {
        ensure!(closing.go_on(&mut day, end + hours * HOUR_US).await?);
    }
    ensure!(day.open_accounts() == 1 && stored(&set, "N").await?.is_empty());
    conn.query_drop(by(-1)).await?;
    ensure!(closing.go_on(&mut day, end + 11 * HOUR_US).await?);
    ensure!(day.is_done() && stored(&set, "N").await? == [end]);
    Ok(())
}

/// A ledger that is away is no account's fault: the walk begins again, and forgets nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_away_leaves_the_walk_where_it_is() -> anyhow::Result<()> {
    let set = stage().await?;
    let hand = SagaHand::on(&set)?;
    let accounts: Vec<String> = (0..20).map(|n| format!("W{n:02}")).collect();
    for account in &accounts {
        hand.fund(account, 5).await?;
    }
    let end = now_us();
    let free = format!("UPDATE {}.lease SET expires_us=0", set.stage.schemas.guard);
    set.stage.pool.get_conn().await?.query_drop(free).await?;
    let (closing, mut day) = (closing(&set)?, ClosingDay::new(end));
    let away = DayClosing {
        ledger: Pool::open("mysql://root@127.0.0.1:1", "nothing", 1)?,
        ..self::closing(&set)?
    };
    ensure!(away.go_on(&mut day, end).await.is_err(), "it went on");
    ensure!(!day.is_done() && day.open_accounts() < accounts.len());
    ensure!(closing.go_on(&mut day, end + HOUR_US).await?);
    ensure!(day.is_done(), "{} are open", day.open_accounts());
    for account in &accounts {
        ensure!(stored(&set, account).await? == [end], "{account}");
    }
    Ok(())
}
