//! Changes that no binlog showed are found by an audit.

use crate::audits::{AUDIT_TIMEOUT, connect_without_binlog, one, raise, said};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_binlog_never_showed_is_found_stops_the_account_and_is_said_once()
-> anyhow::Result<()> {
    let mut set = TestStage::prepare(options()).await?;
    set.stage.start_core().await?;
    let traffic = Traffic::new("rest", 12);
    traffic.fund(&set.stage, 1_000).await?;
    // Before the sidecar was ever there.
    raise(&set.stage, "A00003", 7).await?;
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(
        verdicts == ["books_at_rest A00003 A00003/CNY: available+7.0000"],
        "{verdicts:?}"
    );
    ensure!(open == ["A00003"], "{open:?}");

    let stage = &set.stage;
    raise(stage, "A00005", 3).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(
        run["openFindings"] == 2 && run["verdicts"] == 1 && run["accounts"] == 12,
        "{run}"
    );
    // Honest traffic on the same account moves all figures; the difference is the same.
    traffic.open(stage, 40, Duration::from_secs(1)).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(
        run["openFindings"] == 2 && run["verdicts"] == 0,
        "said twice: {run}"
    );
    // Mended, and wrong again in the same way later: that is news.
    raise(stage, "A00005", -3).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 1, "{run}");
    raise(stage, "A00005", 3).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 2 && run["verdicts"] == 1, "{run}");
    let (verdicts, open) = said(stage).await?;
    ensure!(
        verdicts.len() == 3 && open == ["A00003", "A00005"],
        "{verdicts:?} {open:?}"
    );
    each_kind_is_found(&set).await
}

/// A fault of each kind that is looked at, all of them hidden.
async fn each_kind_is_found(set: &TestStage) -> anyhow::Result<()> {
    let stage = &set.stage;
    let merchants = MerchantTraffic::new("rest", 4);
    merchants.open(stage, 16, Duration::from_secs(1)).await?;
    // Those of the two stopped accounts wait.
    let left = stage.drain(10, Duration::from_secs(30)).await?;
    ensure!(left <= 10, "{left} orders have not ended");
    ensure!(
        stage.client.audit_now(AUDIT_TIMEOUT).await?["verdicts"] == 0,
        "merchants are honest: {:?}",
        said(stage).await?
    );
    let mut conn = connect_without_binlog(&stage.url).await?;
    let s = &stage.schemas;
    let order = format!(
        "SELECT order_id FROM {}.orders WHERE account_id='A00007' AND state='success' LIMIT 1",
        s.orders
    );
    let order: String = conn
        .query_first(order)
        .await?
        .context("an order of A00007")?;
    for fault in [
        format!(
            "UPDATE {}.capture SET captured=captured+9 WHERE account_id='M0001' LIMIT 1",
            s.balance
        ),
        format!(
            "UPDATE {}.capture SET refunded=0 WHERE account_id='M0002' AND refunded>0 LIMIT 1",
            s.balance
        ),
        format!(
            "DELETE FROM {}.entry WHERE account_id='A00008' AND line=0 LIMIT 1",
            s.ledger
        ),
        format!(
            "UPDATE {}.orders SET state='failed' WHERE order_id='{order}'",
            s.orders
        ),
        format!(
            "DELETE FROM {}.balance WHERE account_id='A00009'",
            s.balance
        ),
    ] {
        conn.query_drop(fault).await?;
    }
    stage.client.audit_now(AUDIT_TIMEOUT).await?;
    let (verdicts, open) = said(stage).await?;
    for wanted in [
        "captures_at_rest M0001",
        "captures_at_rest M0002",
        "postings_at_rest A00008",
        &format!("orders_at_rest A00007 A00007/{order} failed"),
        "books_at_rest A00009 A00009/CNY: available-",
    ] {
        ensure!(
            verdicts.iter().any(|v| v.starts_with(wanted)),
            "{wanted} is not in {verdicts:#?}"
        );
    }
    let wanted = [
        "A00003", "A00005", "A00007", "A00008", "A00009", "M0001", "M0002",
    ];
    ensure!(open == wanted, "{open:?}");
    Ok(())
}

/// More accounts than the usual budget of a rule lets it stop in an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_change_of_many_accounts_stops_every_one_of_them() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("mass", 60).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let sql = format!(
        "UPDATE {}.balance SET available=available+1,balance=balance+1",
        set.stage.schemas.balance
    );
    connect_without_binlog(&set.stage.url)
        .await?
        .query_drop(sql)
        .await?;
    let run = set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 60 && run["verdicts"] == 60, "{run}");
    let (_, open) = said(&set.stage).await?;
    ensure!(
        open.len() == 60,
        "{} accounts are stopped: {open:?}",
        open.len()
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let guard = &set.stage.schemas.guard;
    let demoted = format!("SELECT COUNT(*) FROM {guard}.rule_member WHERE demoted=1");
    ensure!(one(&mut conn, demoted).await? == 0, "a rule was disarmed");
    Ok(())
}
