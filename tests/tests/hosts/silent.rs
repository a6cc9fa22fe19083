//! A database that falls silent, or dies: the core says so, and goes on by itself.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_is_not_ready_and_is_found_again() -> anyhow::Result<()> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    fund(&set.stage.client, "S").await?;
    let server = |set: &mut TestStage| set.stage.mariadb.take().context("a private server");
    let mut mariadb = server(&mut set)?;
    mariadb.freeze()?;
    ready(&admin(&set), false, "database").await?;
    let client = set.stage.client.clone();
    let waiting = tokio::spawn(async move { withdraw(&client, "S", "silent").await });
    // Whatever it is answered while the database says nothing, it is no order id.
    if let Ok(Ok((status, answer))) = waiting.await {
        ensure!([503, 408].contains(&status), "{status} {answer}");
    }
    mariadb.thaw()?;
    ready(&admin(&set), true, "").await?;
    accepted_at_last(&set.stage.client, "S", "silent").await?;

    mariadb.kill9()?;
    ready(&admin(&set), false, "database").await?;
    mariadb.restart().await?;
    ready(&admin(&set), true, "").await?;
    accepted_at_last(&set.stage.client, "S", "killed").await?;
    set.stage.mariadb = Some(mariadb);
    Ok(())
}
