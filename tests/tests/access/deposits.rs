//! Deposits: who booked what is kept, and nobody blocks another's numbers.

use crate::access::{Upstream, available, client, stage, start};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options};

fn two_clients() -> String {
    let may = "may = [\"deposit\", \"withdraw\"]\naccounts = [\"A-*\"]";
    client("bank", may) + &client("shop", may)
}

async fn numbers_are_each_clients_own(set: &TestStage) -> anyhow::Result<()> {
    let (bank, shop) = (Upstream::of(set, "bank")?, Upstream::of(set, "shop")?);
    // The shop guesses the bank's next number.
    shop.deposit("A-1", "0.01", "in-7").await?.is(202, 0)?;
    let genuine = bank.deposit("A-1", "500.00", "in-7").await?;
    genuine.is(202, 0)?;
    let again = bank.deposit("A-1", "500.00", "in-7").await?;
    ensure!(
        again.replayed && again.body["data"] == genuine.body["data"],
        "{}",
        again.body
    );
    bank.deposit("A-1", "501.00", "in-7")
        .await?
        .is(422, 42200)?;
    bank.deposit("A-2", "500.00", "in-7")
        .await?
        .is(422, 42200)?;
    // The longest names still make a posting id.
    bank.deposit("A-1", "1.00", &"n".repeat(64))
        .await?
        .is(202, 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_is_its_clients_and_says_so() -> anyhow::Result<()> {
    let mut set = stage(&two_clients()).await?;
    start(&mut set, &["bank", "shop"]).await?;
    numbers_are_each_clients_own(&set).await?;
    ensure!(available(&set, "A-1").await? == "501.0100", "each once");
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT client,CAST(amount AS CHAR) FROM {}.entry WHERE account_id='A-1' AND book='available' ORDER BY amount",
        set.stage.schemas.ledger
    );
    let rows: Vec<(String, String)> = conn.query(sql).await?;
    let wanted = [("shop", "0.0100"), ("bank", "1.0000"), ("bank", "500.0000")];
    let wanted: Vec<(String, String)> = wanted.map(|(c, a)| (c.to_owned(), a.to_owned())).into();
    ensure!(rows == wanted, "{rows:?}");
    let log = std::fs::read_to_string(set.stage.dir.join("core.log"))?;
    ensure!(
        log.contains("client=shop"),
        "the log does not name the client"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_the_books_on_servers_of_their_own() -> anyhow::Result<()> {
    let mut options = StageOptions {
        fence: false,
        dispatch: false,
        split_books: true,
        ..options()
    };
    options.core_extra = format!("{}\n{}", options.core_extra, two_clients());
    let mut set = TestStage::prepare(options).await?;
    start(&mut set, &["bank", "shop"]).await?;
    numbers_are_each_clients_own(&set).await?;
    let Some(books) = &set.stage.split_books else {
        anyhow::bail!("the books are not split");
    };
    let mut conn = books.ledger_pool.get_conn().await?;
    let sql = format!(
        "SELECT client,COUNT(*) FROM {}.entry GROUP BY client ORDER BY client",
        set.stage.schemas.ledger
    );
    let rows: Vec<(String, i64)> = conn.query(sql).await?;
    ensure!(
        rows == [("bank".to_owned(), 4), ("shop".to_owned(), 2)],
        "{rows:?}"
    );
    Ok(())
}

/// Before each client had a number range of its own, one name had all keys.
#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_from_before_is_not_booked_again() -> anyhow::Result<()> {
    let mut set = stage(&two_clients()).await?;
    start(&mut set, &["bank", "shop"]).await?;
    let bank = Upstream::of(&set, "bank")?;
    let first = bank.deposit("A-1", "20.00", "old-1").await?;
    first.is(202, 0)?;
    let sql = format!(
        "UPDATE {}.idempotency SET client='deposit',idempotency_key='old-1' WHERE client='bank'",
        set.stage.schemas.orders
    );
    set.stage.pool.get_conn().await?.query_drop(sql).await?;
    if let Some(mut core) = set.stage.core.take() {
        core.terminate(std::time::Duration::from_secs(15)).await?;
    }
    set.stage.start_core().await?;
    let again = bank.deposit("A-1", "20.00", "old-1").await?;
    ensure!(
        again.replayed && again.body["data"] == first.body["data"],
        "{}",
        again.body
    );
    ensure!(available(&set, "A-1").await? == "20.0000", "booked twice");
    Ok(())
}
