//! Requests that arrive late, channels that forget, cores that stall, and orders for which
//! nobody answers: nothing is paid twice, and nothing stands still for ever.

mod bounds;
mod held;
mod manual;
mod sendings;
mod shared_rows;
mod stalled;
mod stalling_proxy;

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// The usual stage, with more settings of the core.
fn with(extra: &str) -> StageOptions {
    let options = options();
    StageOptions {
        core_extra: format!("{}\n{extra}", options.core_extra),
        ..options
    }
}

/// An order of 3 CNY that asks for no channel: the first one takes it.
async fn submit(set: &TestStage, account: &str, to: &str) -> anyhow::Result<String> {
    let body = json!({ "fromAccountId": account, "toAccountId": to, "amount": "3.00" });
    let key = format!("late-{to}");
    let key = [("idempotent-key", key.as_str())];
    let (status, answer) = set.stage.client.post("/withdraw", &body, &key).await?;
    ensure!(status == 202, "{to}: {status} {answer}");
    let id = answer["data"]["withdrawOrderId"].as_str();
    Ok(id.context("an order's id")?.to_owned())
}

/// Lets the channel treat the next requests for this payee so, one action each.
fn script(
    set: &TestStage,
    kind: SimulatorKind,
    to: &str,
    actions: &[ScriptedAction],
) -> anyhow::Result<()> {
    for action in actions {
        let script = ActionScript {
            times: Some(1),
            ..ActionScript::new(to, action.clone())
        };
        set.stage.sims.add_script(kind, script)?;
    }
    Ok(())
}

/// How often any channel paid the order.
fn times_paid(set: &TestStage, order: &str) -> usize {
    let serial = serial_no(order);
    let book = set.stage.book();
    book.iter().filter(|p| p.serial_no == serial).count()
}

/// One value of the order's row, as text.
async fn column(set: &TestStage, order: &str, name: &str) -> anyhow::Result<String> {
    let sql = format!(
        "SELECT IFNULL(CAST({name} AS CHAR),'-') FROM {}.orders WHERE order_id='{order}'",
        set.stage.schemas.orders
    );
    let value: Option<String> = set.stage.pool.get_conn().await?.query_first(sql).await?;
    value.with_context(|| format!("no order {order}"))
}

/// Waits until the row's column has this value.
async fn wait_for(set: &TestStage, order: &str, name: &str, want: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let now = column(set, order, name).await?;
        if now == want {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < WAIT_TIMEOUT,
            "{order}: {name} is {now}, not {want}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// `kind state` of the cases under an order's id, or another name.
async fn cases(set: &TestStage, order: &str) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(kind,' ',state) FROM {}.cases WHERE order_id='{order}' ORDER BY kind",
        set.stage.schemas.orders
    );
    Ok(set.stage.pool.get_conn().await?.query(sql).await?)
}

async fn wait_for_case(set: &TestStage, order: &str, want: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !cases(set, order).await?.iter().any(|c| c == want) {
        ensure!(
            begun.elapsed() < WAIT_TIMEOUT,
            "{order} has {:?}, not {want:?}",
            cases(set, order).await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Runs one statement by hand.
async fn by_hand(set: &TestStage, sql: &str) -> anyhow::Result<()> {
    Ok(set.stage.pool.get_conn().await?.query_drop(sql).await?)
}
