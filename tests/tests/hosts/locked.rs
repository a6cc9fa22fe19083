//! One account that can't be booked on: its own requests fail, its neighbours' don't.

use super::*;
use futures_util::future::join_all;

/// Neighbours that share batches and writers with the account.
const NEIGHBOURS: usize = 40;

async fn one_core() -> anyhow::Result<TestStage> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    for n in 0..NEIGHBOURS {
        fund(&set.stage.client, &format!("N{n}")).await?;
    }
    fund(&set.stage.client, "L").await?;
    Ok(set)
}

/// Asks for every neighbour and for the account at once, `round` times over.
async fn ask_all(set: &TestStage, round: &str) -> anyhow::Result<(Vec<u16>, (u16, Value))> {
    let client = &set.stage.client;
    let neighbours = (0..NEIGHBOURS).map(|n| async move {
        let (status, answer) = withdraw(client, &format!("N{n}"), &format!("{round}-{n}")).await?;
        ensure!(status == 202, "a neighbour got {status} {answer}");
        Ok(status)
    });
    let key = format!("{round}-locked");
    let locked = withdraw(client, "L", &key);
    let (neighbours, locked) = tokio::join!(join_all(neighbours), locked);
    Ok((neighbours.into_iter().collect::<Result<_, _>>()?, locked?))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_open_select_for_update_harms_its_account_alone() -> anyhow::Result<()> {
    let set = one_core().await?;
    let mut operator = set.stage.pool.get_conn().await?;
    let lock = format!(
        "START TRANSACTION; SELECT * FROM {}.balance WHERE account_id='L' FOR UPDATE",
        set.stage.schemas.balance
    );
    operator.query_drop(lock).await?;
    for round in ["first", "second", "third"] {
        let (_, (status, answer)) = ask_all(&set, round).await?;
        ensure!(status == 503, "the locked account got {status} {answer}");
        let said = answer["msg"].as_str().unwrap_or_default();
        ensure!(said.contains("locked"), "{answer}");
    }
    operator.query_drop("ROLLBACK").await?;
    accepted_at_last(&set.stage.client, "L", "first-locked").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_in_a_currency_of_a_newer_core_is_nobodys_failure() -> anyhow::Result<()> {
    let set = one_core().await?;
    let columns = "available,reserved,intermediate,intermediate_reserved,version,updated_us";
    let insert = format!(
        "INSERT INTO {0}.balance (account_id,currency,balance,{columns}) \
         SELECT account_id,'XQZ',balance,{columns} FROM {0}.balance WHERE account_id='L'",
        set.stage.schemas.balance
    );
    on_server(&set, &insert).await?;
    let (_, (status, answer)) = ask_all(&set, "newer").await?;
    ensure!(status == 202, "{status} {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_row_is_gone_fails_alone() -> anyhow::Result<()> {
    let set = one_core().await?;
    // The deposit's posting stays, its key is purged: a repeat meets a duplicate that no
    // key explains.
    let purge = format!(
        "DELETE FROM {}.idempotency WHERE account_id='L'",
        set.stage.schemas.orders
    );
    on_server(&set, &purge).await?;
    let port = server_port(&set)?;
    let mut set = set;
    // A core that remembers no answer.
    set.stage
        .core
        .take()
        .context("a core")?
        .terminate(DEADLINE)
        .await?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    let client = &set.stage.client;
    let body = json!({ "accountId": "L", "amount": "1000", "currency": "CNY", "bizNo": "pay-L" });
    let neighbours = (0..NEIGHBOURS).map(|n| async move {
        let (status, answer) = withdraw(client, &format!("N{n}"), &format!("gone-{n}")).await?;
        ensure!(status == 202, "a neighbour got {status} {answer}");
        Ok(())
    });
    let headers = [];
    let gone = client.post("/deposit", &body, &headers);
    let (neighbours, gone) = tokio::join!(join_all(neighbours), gone);
    neighbours.into_iter().collect::<anyhow::Result<()>>()?;
    let (status, answer) = gone?;
    ensure!(status == 500, "the purged deposit got {status} {answer}");
    Ok(())
}
