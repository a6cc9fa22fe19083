//! Correlation id and trace of one withdrawal, over both programs and every process that
//! ever touched the order.

mod collector;
mod correlation;
mod split_books;

use crate::traces::collector::{CollectedSpan, SpanCollector};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED};
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options, top};
use std::path::Path;
use std::time::Duration;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";
/// Words that must not leave the platform's walls.
const ACCOUNT: &str = "TRACED-ACCOUNT-7";
const PAYEE: &str = "TRACED-PAYEE-7";
const AMOUNT: &str = "31.17";
const READY_TIMEOUT: Duration = Duration::from_secs(40);

/// Finds something about each new order, so that there is a verdict without any fault.
const PROBE_RULE: &str = r#"//! id = "trace_probe"
//! guards = "Nothing; it tells of each new order, for a test."
//! kind = "internal_logic"
//! severity = "minor"
//! mode = "alert"
//! owner = "tests"
//! runbook = "None."
//! [trigger]
//! on = "row"
//! table = "orders"
//! ops = ["insert"]

fn check(row) {
    violation(row.after.account_id, row.after.order_id, "a new order", row.after.amount)
}
"#;

/// The shipped rules, and the probe.
fn rules_with_probe(dir: &Path) -> anyhow::Result<()> {
    for file in std::fs::read_dir(top().join("rules"))? {
        let file = file?;
        if file.file_type()?.is_file() {
            std::fs::copy(file.path(), dir.join(file.file_name()))?;
        }
    }
    Ok(std::fs::write(dir.join("trace_probe.rhai"), PROBE_RULE)?)
}

fn traced(collector: &SpanCollector) -> StageOptions {
    let mut options = options();
    options.core_extra = format!("{}\n{}", options.core_extra, collector.settings());
    options.sidecar_extra = collector.settings();
    options
}

/// Money for the account, told and booked.
async fn fund(set: &TestStage, account: &str, biz_no: &str) -> anyhow::Result<()> {
    let event = BusinessEvent {
        id: biz_no.to_owned(),
        kind: DEPOSIT_RECEIVED.into(),
        account_id: account.to_owned(),
        biz_no: biz_no.to_owned(),
        amount: 1_000.into(),
        currency: "CNY".into(),
        occurred_us: now_us(),
        payer_account_id: None,
        client: None,
    };
    set.stage.events.send(&event).await?;
    let deposit = set.stage.client.deposit(account, event.amount, biz_no);
    deposit.await
}

/// Withdraws on the traced account through the channel that calls back; returns the order.
async fn withdraw(set: &TestStage, correlation: &str) -> anyhow::Result<String> {
    fund(set, ACCOUNT, &format!("fund-{correlation}")).await?;
    let body = json!({ "fromAccountId": ACCOUNT, "toAccountId": PAYEE, "amount": AMOUNT,
        "currency": "CNY", "transactionId": correlation, "channel": "unionpay" });
    let parent = format!("00-{TRACE}-{CALLERS_SPAN}-01");
    let headers = [
        ("x-correlation-id", correlation),
        ("traceparent", parent.as_str()),
    ];
    let submitted = set.stage.client.post("/withdraw/submit", &body, &headers);
    let (status, answer) = submitted.await?;
    ensure!(status == 202, "{status} {answer}");
    let id = answer["data"]["withdrawOrderId"].as_str();
    Ok(id.context("no order id")?.to_owned())
}

/// Every span but those of the caller hangs below another one of the trace.
fn is_whole(spans: &[CollectedSpan]) -> anyhow::Result<()> {
    for span in spans {
        let is_below = span.parent == CALLERS_SPAN || spans.iter().any(|s| s.id == span.parent);
        ensure!(is_below, "{span:?} hangs nowhere in {spans:#?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_withdrawal_is_one_trace_and_names_no_account() -> anyhow::Result<()> {
    let collector = SpanCollector::start().await?;
    let rules = tempfile::tempdir()?;
    rules_with_probe(rules.path())?;
    let mut options = traced(&collector);
    options.rules = rules.path().to_owned();
    let set = TestStage::up(options).await?;
    let order = withdraw(&set, "one-trace").await?;
    set.stage.wait_for_status(&order, "success").await?;
    let names = [
        "POST /withdraw/submit",
        "accept",
        "claim",
        "pay",
        "callback",
        "outcome",
        "publish",
        "evaluate",
        "verdict",
    ];
    let spans = collector.wait_for(TRACE, &names).await?;
    is_whole(&spans)?;
    for (name, service) in [("claim", "sluice-core"), ("verdict", "sluice-sidecar")] {
        let of_service = |s: &CollectedSpan| s.name == name && s.service.contains(service);
        ensure!(spans.iter().any(of_service), "{name} is not {service}'s");
    }
    // The verdict is found by the request's id.
    let sql = format!(
        "SELECT item FROM {}.verdict WHERE correlation_id='one-trace' AND rule='trace_probe'",
        set.stage.schemas.guard
    );
    let found: Vec<String> = set.stage.pool.get_conn().await?.query(sql).await?;
    ensure!(found == [order.clone()], "{found:?}");
    names_nobody(&set, &collector)
}

/// Checks everything that was exported, of any trace.
fn names_nobody(set: &TestStage, collector: &SpanCollector) -> anyhow::Result<()> {
    let text = collector.text();
    ensure!(text.contains("/withdraw/submit"), "nothing was exported");
    let token = String::from_utf8_lossy(set.stage.token.expose()).into_owned();
    let key = String::from_utf8_lossy(set.stage.key.expose()).into_owned();
    for secret in [ACCOUNT, PAYEE, AMOUNT, token.as_str(), key.as_str()] {
        ensure!(!text.contains(secret), "a span names {secret}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_life_goes_on_in_the_orders_trace() -> anyhow::Result<()> {
    let collector = SpanCollector::start().await?;
    let mut set = TestStage::up(traced(&collector)).await?;
    // Without the sidecar nothing passes the fence: the order waits.
    let mut sidecar = set.stage.sidecar.take().context("no sidecar")?;
    sidecar.kill9()?;
    let order = withdraw(&set, "two-lives").await?;
    collector.wait_for(TRACE, &["accept"]).await?;
    let mut core = set.stage.core.take().context("no core")?;
    core.kill9()?;
    ensure!(
        collector.spans(TRACE).iter().all(|s| s.name != "pay"),
        "it was sent before the crash"
    );
    sidecar.restart()?;
    core.restart()?;
    let ports = set.stage.ports;
    let (at_sidecar, at_core) = (
        ports.address(ports.sidecar),
        ports.address(ports.core_admin),
    );
    sidecar.wait_ready(&at_sidecar, READY_TIMEOUT).await?;
    core.wait_ready(&at_core, READY_TIMEOUT).await?;
    (set.stage.sidecar, set.stage.core) = (Some(sidecar), Some(core));
    set.stage.wait_for_status(&order, "success").await?;
    let names = ["claim", "pay", "outcome", "publish", "evaluate"];
    is_whole(&collector.wait_for(TRACE, &names).await?)?;
    names_nobody(&set, &collector)
}
