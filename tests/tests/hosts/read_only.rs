//! A primary that was demoted: it answers, and takes no write.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_reads_is_left_and_found_again() -> anyhow::Result<()> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    fund(&set.stage.client, "R").await?;
    accepted_at_last(&set.stage.client, "R", "before").await?;
    on_server(&set, "SET GLOBAL read_only=1").await?;
    let (status, answer) = withdraw(&set.stage.client, "R", "while").await?;
    ensure!(status == 503, "{status} {answer}");
    ready(&admin(&set), false, "only reads").await?;
    on_server(&set, "SET GLOBAL read_only=0").await?;
    ready(&admin(&set), true, "").await?;
    accepted_at_last(&set.stage.client, "R", "while").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_money_path_ends_when_it_falls_silent() -> anyhow::Result<()> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    let pool = sluice_contract::sql::Pool::open(&set.stage.url, "sluice_orders", 1)?;
    let mut conn = pool.get_conn().await?;
    let asked = "SELECT @@idle_transaction_timeout, @@innodb_lock_wait_timeout";
    let (silence, lock): (u64, u64) = conn.query_first(asked).await?.context("one row")?;
    ensure!(
        (1..=5).contains(&silence),
        "idle_transaction_timeout is {silence}"
    );
    ensure!(
        (1..=2).contains(&lock),
        "innodb_lock_wait_timeout is {lock}"
    );
    Ok(())
}
