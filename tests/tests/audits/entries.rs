//! Entries that no core wrote, or not like that, are found at rest where books and postings
//! balance; those of cores of before the seal are nobody's fault.

use crate::audits::{AUDIT_TIMEOUT, connect_without_binlog, said};
use anyhow::{Context, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_drill::faults::signed::adjust;
use sluice_drill::setup::ChildProcess;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::convert::Infallible;
use std::time::Duration;

const READY_TIMEOUT: Duration = Duration::from_secs(40);

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

/// Statements that no binlog shows.
async fn unseen(set: &TestStage, statements: &[String]) -> anyhow::Result<()> {
    let mut conn = connect_without_binlog(&set.stage.url).await?;
    for sql in statements {
        conn.query_drop(sql).await?;
    }
    Ok(())
}

/// Takes away the mark and all seals, as they are right after the migration, while no sidecar
/// runs, and nobody remembers.
async fn as_of_before(set: &mut TestStage) -> anyhow::Result<()> {
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    let s = &set.stage.schemas;
    let sql = [
        format!("DELETE FROM {}.guard_seal", s.guard),
        format!("UPDATE {}.entry SET mac=''", s.ledger),
    ];
    unseen(set, &sql).await?;
    std::fs::remove_dir_all(set.stage.dir.join("state"))?;
    begin_anew(set, sidecar).await
}

/// Starts the sidecar again, and waits until it leads.
async fn begin_anew(set: &mut TestStage, mut sidecar: ChildProcess) -> anyhow::Result<()> {
    let ports = set.stage.ports;
    sidecar.restart()?;
    sidecar
        .wait_ready(&ports.address(ports.sidecar), READY_TIMEOUT)
        .await?;
    set.stage.sidecar = Some(sidecar);
    set.stage.wait_for_fence().await
}

/// Moves a balance for as long as somebody looks.
async fn keep_moving(conn: &mut Conn, sql: &str) -> mysql_async::Result<Infallible> {
    loop {
        conn.query_drop(sql).await?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_before_the_seal_are_nobodys_fault() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    let traffic = Traffic::new("before", 4);
    traffic.fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    as_of_before(&mut set).await?;
    let ledger = set.stage.schemas.ledger.clone();
    // A sidecar that comes before the migration leaves entries out, and audits the rest.
    unseen(
        &set,
        &[format!("ALTER TABLE {ledger}.entry DROP COLUMN mac")],
    )
    .await?;
    set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    let note = set.stage.client.audit().await?;
    ensure!(
        note["failed"].is_null() && note["leftOut"].is_string(),
        "{note}"
    );
    let column = "mac VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''";
    unseen(
        &set,
        &[format!("ALTER TABLE {ledger}.entry ADD COLUMN {column}")],
    )
    .await?;
    traffic.open(&set.stage, 20, Duration::from_secs(1)).await?;
    ensure!(set.stage.drain(0, Duration::from_secs(30)).await? == 0);
    let audit = async || {
        let run = set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
        anyhow::Ok(run["verdicts"].clone())
    };
    ensure!(audit().await? == 0, "{:?}", said(&set.stage).await?);
    let client = &set.stage.client;
    // The guard's rows are sealed; of entries nobody has said anything, and it is told so.
    client.seal_guard("ann", "all sidecars sign").await?;
    book_by_hand(&set, "A00002", "of-before").await?;
    ensure!(audit().await? == 0, "{:?}", said(&set.stage).await?);
    let note = client.audit().await?;
    ensure!(
        note["leftOut"].is_null() && note["entriesFromUs"].is_null(),
        "{note}"
    );
    client.seal_entries("ann", "no core of before runs").await?;
    ensure!(audit().await? == 0, "{:?}", said(&set.stage).await?);

    // The mark lies a minute ahead: clocks of the cores of before may.
    book_by_hand(&set, "A00003", "by-hand").await?;
    let later = format!(
        "UPDATE {ledger}.entry SET created_us={} WHERE posting_id='by-hand'",
        now_us() + 120_000_000
    );
    unseen(&set, &[later]).await?;
    ensure!(audit().await? == 2, "{:?}", said(&set.stage).await?);
    // Sealing anew forgives nothing.
    client.seal_entries("ann", "keys are rolled").await?;
    let run = client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 2, "{run}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_is_taken_away_past_the_binlog_forgives_nothing() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("mark", 4).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let gone = [format!(
        "DELETE FROM {}.guard_seal",
        set.stage.schemas.guard
    )];
    unseen(&set, &gone).await?;
    book_by_hand(&set, "A00003", "by-hand").await?;
    let client = set.stage.client.clone();
    let run = client.audit_now(AUDIT_TIMEOUT).await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(run["openFindings"] == 3, "{verdicts:?}");
    ensure!(
        verdicts.iter().any(|v| v == "guard_row  guard_seal"),
        "{verdicts:?}"
    );
    ensure!(
        open.iter().any(|key| key == "*"),
        "everybody is stopped: {open:?}"
    );
    // Nor where the sidecar began anew meanwhile: its host remembers. A seal puts the mark back.
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    begin_anew(&mut set, sidecar).await?;
    client.seal_guard("ann", "looked at everything").await?;
    let run = client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 2, "{:?}", said(&set.stage).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_split_books_a_busy_account_does_not_get_away_with_it() -> anyhow::Result<()> {
    let mut options = options();
    options.split_books = true;
    let set = TestStage::up(options).await?;
    let traffic = Traffic::new("busy", 4);
    traffic.fund(&set.stage, 1_000).await?;
    ensure!(set.stage.drain(0, Duration::from_secs(30)).await? == 0);
    let client = &set.stage.client;
    let run = client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["verdicts"] == 0, "{:?}", said(&set.stage).await?);
    let note = client.audit().await?;
    ensure!(
        note["entriesFromUs"] == 0,
        "the ledger's own server was empty: {note}"
    );

    let (books, s) = (
        set.stage.split_books.as_ref().context("split books")?,
        &set.stage.schemas,
    );
    let mut ledger = connect_without_binlog(&books.ledger.url()).await?;
    let edit = format!(
        "UPDATE {}.entry SET ref='another' WHERE account_id='A00002' LIMIT 1",
        s.ledger
    );
    ledger.query_drop(edit).await?;
    let mut balance = connect_without_binlog(&books.balance.url()).await?;
    let moves = format!(
        "UPDATE {}.balance SET version=version+1 WHERE account_id='A00002'",
        s.balance
    );
    tokio::select! {
        run = client.audit_now(AUDIT_TIMEOUT) => drop(run?),
        busy = keep_moving(&mut balance, &moves) => drop(busy?),
    }
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(
        verdicts.len() == 1 && verdicts[0].starts_with("provenance_at_rest A00002"),
        "{verdicts:?}"
    );
    ensure!(open == ["A00002"], "{open:?}");
    Ok(())
}
