//! Entries that no core wrote, or not like that, are found at rest where books and postings
//! balance; those of cores of before the seal are nobody's fault.

use crate::audits::{AUDIT_TIMEOUT, connect_without_binlog, said};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_drill::faults::signed::adjust;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// Raises a posting's two lines and the balance, so that everything adds up.
async fn raise_deposit(set: &TestStage, account: &str) -> anyhow::Result<()> {
    let (mut conn, s) = (
        connect_without_binlog(&set.stage.url).await?,
        &set.stage.schemas,
    );
    let posting = format!(
        "SELECT posting_id FROM {}.entry WHERE account_id=? AND kind='deposit' LIMIT 1",
        s.ledger
    );
    let posting: Option<String> = conn.exec_first(posting, (account,)).await?;
    let entries = format!(
        "UPDATE {}.entry SET amount=amount+5 WHERE account_id=? AND posting_id=?",
        s.ledger
    );
    conn.exec_drop(entries, (account, posting)).await?;
    ensure!(conn.affected_rows() == 2, "no deposit of {account}");
    let balance = format!(
        "UPDATE {}.balance SET available=available+5,balance=balance+5 WHERE account_id=?",
        s.balance
    );
    Ok(conn.exec_drop(balance, (account,)).await?)
}

/// Books a credit by hand, balanced, in no binlog.
async fn book_by_hand(set: &TestStage, account: &str, posting: &str) -> anyhow::Result<()> {
    let mut conn = connect_without_binlog(&set.stage.url).await?;
    let schemas = &set.stage.schemas;
    adjust(&mut conn, schemas, None, account, 1_000.into(), posting).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_edited_and_one_that_was_put_in_are_found() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let traffic = Traffic::new("seal", 6);
    traffic.fund(&set.stage, 1_000).await?;
    traffic.open(&set.stage, 20, Duration::from_secs(1)).await?;
    ensure!(set.stage.drain(0, Duration::from_secs(30)).await? == 0);
    let run = set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["verdicts"] == 0, "the core's own are accused: {run}");

    raise_deposit(&set, "A00002").await?;
    book_by_hand(&set, "A00004", "by-hand").await?;
    // One that says that it is old: this ledger was empty when the first sidecar started.
    book_by_hand(&set, "A00005", "of-old").await?;
    let back = format!(
        "UPDATE {}.entry SET created_us=1 WHERE posting_id='of-old'",
        set.stage.schemas.ledger
    );
    let mut conn = connect_without_binlog(&set.stage.url).await?;
    conn.query_drop(back).await?;
    set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(
        verdicts.len() == 6 && verdicts.iter().all(|v| v.starts_with("provenance_at_rest")),
        "{verdicts:#?}"
    );
    for wanted in ["A00004/by-hand/0", "A00004/by-hand/1", "A00005/of-old/0"] {
        let wanted = format!(" {wanted}");
        ensure!(
            verdicts.iter().any(|v| v.ends_with(&wanted)),
            "{wanted} is not in {verdicts:#?}"
        );
    }
    ensure!(open == ["A00002", "A00004", "A00005"], "{open:?}");
    Ok(())
}

/// Takes away the mark and all seals, as they are right after the migration.
async fn as_of_before(set: &TestStage) -> anyhow::Result<()> {
    let (mut conn, s) = (
        connect_without_binlog(&set.stage.url).await?,
        &set.stage.schemas,
    );
    for sql in [
        format!("DELETE FROM {}.guard_seal WHERE name='entries'", s.guard),
        format!("UPDATE {}.entry SET mac=''", s.ledger),
    ] {
        conn.query_drop(sql).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_before_the_seal_are_nobodys_fault() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let traffic = Traffic::new("before", 4);
    traffic.fund(&set.stage, 1_000).await?;
    as_of_before(&set).await?;
    traffic.open(&set.stage, 20, Duration::from_secs(1)).await?;
    ensure!(set.stage.drain(0, Duration::from_secs(30)).await? == 0);
    let audit = async || {
        let run = set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
        anyhow::Ok(run["verdicts"].clone())
    };
    ensure!(audit().await? == 0, "{:?}", said(&set.stage).await?);
    let client = &set.stage.client;
    client.seal_guard("ann", "no core of before runs").await?;
    ensure!(audit().await? == 0, "{:?}", said(&set.stage).await?);

    // The mark lies a minute ahead: clocks of the cores of before may.
    book_by_hand(&set, "A00003", "by-hand").await?;
    let later = format!(
        "UPDATE {}.entry SET created_us={} WHERE posting_id='by-hand'",
        set.stage.schemas.ledger,
        now_us() + 120_000_000
    );
    let mut conn = connect_without_binlog(&set.stage.url).await?;
    conn.query_drop(later).await?;
    ensure!(audit().await? == 2, "{:?}", said(&set.stage).await?);
    // Sealing anew forgives nothing.
    client.seal_guard("ann", "keys are rolled").await?;
    let run = client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 2, "{run}");
    Ok(())
}
