//! The four stages of recovery, each to its bound and past it, as upstreams and
//! operators see them: over the API, `sluice orders`, and the cases.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::setup::process::binary;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

fn with(extra: &str) -> StageOptions {
    let options = options();
    StageOptions {
        core_extra: format!("{}\n{extra}", options.core_extra),
        ..options
    }
}

/// Order `n`: from an account of its own, to a payee of its own.
async fn submit(set: &TestStage, run: &str, n: u64, kind: SimulatorKind) -> anyhow::Result<String> {
    let ask = UpstreamSubmit {
        from: format!("A{n:05}"),
        to: format!("{run}{n}.payee"),
        amount: "3.00".into(),
        transaction_id: format!("{run}-{n}"),
        biz_no: format!("{run}-biz-{n}"),
        channel: kind.to_string(),
    };
    set.stage.client.submit(&ask).await
}

/// `kind state closed_by` of the order's cases.
async fn cases(set: &TestStage, order: &str) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(kind,' ',state,' ',IFNULL(closed_by,'-')) FROM {}.cases WHERE order_id='{order}' ORDER BY kind",
        set.stage.schemas.orders
    );
    Ok(set.stage.pool.get_conn().await?.query(sql).await?)
}

async fn wait_for_case(set: &TestStage, order: &str, wanted: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let found = cases(set, order).await?;
        if found.iter().any(|c| c == wanted) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < WAIT_TIMEOUT,
            "{order} has {found:?}, not {wanted:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What `sluice orders …` prints.
async fn sluice_orders(set: &TestStage, words: &[&str]) -> anyhow::Result<String> {
    let ran = tokio::process::Command::new(binary("sluice")?)
        .arg("orders")
        .args(words)
        .arg("--config")
        .arg(set.stage.dir.join("core.toml"))
        .output()
        .await?;
    let text =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "sluice orders {words:?}: {text}");
    Ok(text)
}

async fn post(set: &TestStage, path: &str) -> anyhow::Result<(u16, Value)> {
    set.stage.client.post(path, &json!({}), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stage_1_waits_for_the_fence_and_stage_3_for_a_callback_until_they_are_cases()
-> anyhow::Result<()> {
    let mut set = TestStage::up(with(
        "recovery.unsent_case_after_ms = 1000\nrecovery.max_queries = 3",
    ))
    .await?;
    Traffic::new("stages", 20).fund(&set.stage, 1_000).await?;

    // Stage 3: the channel never tells, and queries say "in process" until late.
    let slow = ScriptedAction::InProcessThenNotify { ms: 9_000 };
    set.stage
        .sims
        .add_script(SimulatorKind::UnionPay, ActionScript::new("slow7", slow))?;
    let third = submit(&set, "slow", 7, SimulatorKind::UnionPay).await?;
    wait_for_case(&set, &third, "exhausted open -").await?;
    set.stage.wait_for_status(&third, "manual").await?;
    ensure!(
        sluice_orders(&set, &["stuck"])
            .await?
            .contains("case exhausted: asked 3 times"),
        "not shown as a case"
    );

    // Stage 1: without a sidecar nothing is sent. The order waits on, the case tells.
    set.stage
        .sidecar
        .as_mut()
        .context("the stage has a sidecar")?
        .kill9()?;
    let first = submit(&set, "dark", 1, SimulatorKind::NetsUnion).await?;
    wait_for_case(&set, &first, "not_sent open -").await?;
    let stuck = sluice_orders(&set, &["stuck", "--older", "1s"]).await?;
    let row = stuck
        .lines()
        .find(|l| l.contains(&first))
        .context("it isn't listed")?;
    ensure!(
        row.starts_with("sending") && row.contains("fence: no sidecar answers"),
        "{row}"
    );
    ensure!(
        stuck.contains("case not_sent: waits to be sent: fence"),
        "{stuck}"
    );
    ensure!(
        set.stage.client.order(&first).await?["status"] == "init",
        "waiting must not end an order"
    );
    // Longer than the bound: the case stays the one case.
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(cases(&set, &first).await?.len() == 1, "more than one case");

    // Both causes go away; both orders end by themselves, and so do their cases.
    set.stage
        .sidecar
        .as_mut()
        .context("the stage has a sidecar")?
        .restart()?;
    set.stage.wait_for_status(&first, "success").await?;
    set.stage.wait_for_status(&third, "success").await?;
    wait_for_case(&set, &first, "not_sent closed channel").await?;
    wait_for_case(&set, &third, "exhausted closed channel").await?;
    let told = sluice_orders(&set, &["history", &third]).await?;
    for line in [
        "1 accepted from local",
        "query (processing) at unionpay",
        "exhausted (processing → manual)",
        "succeeded (manual → success)",
        "exhausted closed by channel",
        "finalize: 3 CNY from reserved",
    ] {
        ensure!(told.contains(line), "no {line:?} in {told}");
    }
    ensure!(
        sluice_orders(&set, &["stuck"]).await? == "no order is stuck\n",
        "something is stuck"
    );
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn stage_4_tells_again_until_it_is_heard_or_a_case() -> anyhow::Result<()> {
    let extra = "[acknowledgement]\nclients = [\"local\"]\ninitial_delay_ms = 300\nmax_delay_ms = 500\nmax_notifications = 2";
    let set = TestStage::up(with(extra)).await?;
    Traffic::new("heard", 20).fund(&set.stage, 1_000).await?;
    let slow = ScriptedAction::InProcessThenNotify { ms: 2_000 };
    set.stage
        .sims
        .add_script(SimulatorKind::UnionPay, ActionScript::new("open3", slow))?;
    let (deaf, open) = (
        submit(&set, "deaf", 1, SimulatorKind::NetsUnion).await?,
        submit(&set, "open", 3, SimulatorKind::UnionPay).await?,
    );
    let (status, answer) = post(&set, &format!("/withdraw/{open}/ack")).await?;
    ensure!(
        status == 409 && answer["code"] == 40902,
        "acknowledged before its end: {status} {answer}"
    );

    // Told twice again, then a person's; the same event each time.
    wait_for_case(&set, &deaf, "unacknowledged open -").await?;
    ensure!(
        sluice_orders(&set, &["show", &deaf])
            .await?
            .contains("case         unacknowledged: local was told 2 times"),
        "no case"
    );
    let ends = |order: &str| -> anyhow::Result<Vec<_>> {
        Ok(set
            .published()?
            .into_iter()
            .filter(|e| e.order_id == order && e.kind == "withdraw.success")
            .collect())
    };
    let begun = Instant::now();
    let times = loop {
        let told = ends(&deaf)?;
        if told.len() >= 3 || begun.elapsed() > WAIT_TIMEOUT {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    ensure!(
        times.len() >= 3 && times.iter().all(|e| *e == times[0]),
        "not the same event again: {times:?}"
    );

    for _ in 0..2 {
        let (status, answer) = post(&set, &format!("/withdraw/{deaf}/ack")).await?;
        ensure!(status == 200, "{status} {answer}");
    }
    wait_for_case(&set, &deaf, "unacknowledged closed upstream").await?;
    ensure!(
        set.stage.client.order(&deaf).await?["acknowledgedUs"].is_number(),
        "it isn't shown as heard"
    );

    // Acknowledged in time: never told again.
    set.stage.wait_for_status(&open, "success").await?;
    ensure!(post(&set, &format!("/withdraw/{open}/ack")).await?.0 == 200);
    // What was told before may still be on its way to Kafka.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let heard = ends(&open)?.len();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let told = ends(&open)?.len();
    ensure!(
        told == heard && cases(&set, &open).await?.is_empty(),
        "told {told} times, after {heard} it was heard"
    );

    // Everybody may ask to be told again, but not all the time.
    let asked = post(&set, &format!("/withdraw/{open}/renotify")).await?;
    let again = post(&set, &format!("/withdraw/{open}/renotify")).await?;
    ensure!((asked.0, again.0) == (202, 429), "{asked:?} {again:?}");
    let begun = Instant::now();
    while ends(&open)?.len() <= told {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "not told again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_by_every_id_that_anybody_holds() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("find", 20).fund(&set.stage, 1_000).await?;
    let mut orders = Vec::new();
    for n in 0..5 {
        orders.push(submit(&set, "find", n, SimulatorKind::NetsUnion).await?);
    }
    let body = json!({ "fromAccountId": "A00009", "toAccountId": "payee", "amount": "1.00", "transactionId": "find-biz-2" });
    let (_, keyed) = set
        .stage
        .client
        .post("/withdraw", &body, &[("idempotent-key", "my-key")])
        .await?;
    let keyed = keyed["data"]["withdrawOrderId"]
        .as_str()
        .context("refused")?
        .to_owned();
    let found = async |query: &str| -> anyhow::Result<Vec<String>> {
        let (status, answer) = set.stage.client.get(&format!("/withdraw?{query}")).await?;
        ensure!(status == 200, "{query}: {status} {answer}");
        let all = answer["data"]["orders"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(all
            .iter()
            .filter_map(|o| Some(o["withdrawOrderId"].as_str()?.to_owned()))
            .collect())
    };
    let one = std::slice::from_ref(&orders[2]);
    ensure!(found("transactionId=find-2").await? == one);
    ensure!(found(&format!("serialNo={}", serial_no(&orders[2]))).await? == one);
    ensure!(found("key=tx:find-2").await? == one && found("key=my-key").await? == [keyed.clone()]);
    ensure!(
        found("bizNo=find-biz-2").await? == one
            && found("transactionId=find-biz-2").await? == [keyed.clone()]
    );
    ensure!(found("bizNo=nobody").await?.is_empty() && found("bizNo=a%20b").await?.is_empty());
    // All of them by pages of two, each once, in order.
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let (_, answer) = set
            .stage
            .client
            .get(&format!("/withdraw?limit=2{next}"))
            .await?;
        let page = answer["data"]["orders"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        paged.extend(
            page.iter()
                .filter_map(|o| Some(o["withdrawOrderId"].as_str()?.to_owned())),
        );
        match answer["data"]["next"].as_str() {
            Some(id) => next = format!("&after={id}"),
            None => break,
        }
    }
    orders.push(keyed.clone());
    ensure!(paged == orders, "{paged:?} for {orders:?}");
    for bad in [
        "limit=0",
        "limit=x",
        "after=1",
        "bizNo=a&key=b",
        "colour=red",
    ] {
        let (status, answer) = set.stage.client.get(&format!("/withdraw?{bad}")).await?;
        ensure!(
            status == 400 && answer["code"] == 40001,
            "{bad}: {status} {answer}"
        );
    }
    let serial = serial_no(&orders[2]);
    for id in [orders[2].as_str(), &serial, "find-2", "find-biz-2"] {
        let shown = sluice_orders(&set, &["show", id]).await?;
        ensure!(
            shown.contains(&orders[2]) && shown.contains("amount       3 CNY"),
            "{id}: {shown}"
        );
    }
    ensure!(
        sluice_orders(&set, &["show", "my-key"])
            .await?
            .contains(&keyed),
        "not found by its key"
    );
    ensure!(
        sluice_orders(&set, &["show", "find-biz-2"])
            .await?
            .contains("── 2 of 2"),
        "both have the number"
    );
    ensure!(
        sluice_orders(&set, &["history", "nobody"]).await.is_err(),
        "found nobody"
    );
    let (status, answer) = set
        .stage
        .client
        .get(&format!("/withdraw/{}/history", orders[0]))
        .await?;
    let first = &answer["data"]["history"][0];
    ensure!(
        status == 200 && first["what"] == "order" && first["atUs"].is_number(),
        "{answer}"
    );
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_nobody_can_read_stops_no_other() -> anyhow::Result<()> {
    // Without a sidecar: it would find the hand that spoils the rows.
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        dispatch: false,
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    Traffic::new("poison", 20).fund(&set.stage, 1_000).await?;
    let silent = ScriptedAction::TimeoutAfterPaying { hold_ms: 1_400 };
    set.stage
        .sims
        .add_script(SimulatorKind::NetsUnion, ActionScript::new("doubt", silent))?;
    let (mut waiting, mut doubtful) = (Vec::new(), Vec::new());
    for n in 0..6 {
        waiting.push(submit(&set, "wait", n, SimulatorKind::UnionPay).await?);
        doubtful.push(submit(&set, "doubt", n, SimulatorKind::NetsUnion).await?);
    }
    let spoil = async |order: &str| -> anyhow::Result<()> {
        let sql = format!(
            "UPDATE {}.orders SET currency='?' WHERE order_id='{order}'",
            set.stage.schemas.orders
        );
        Ok(set.stage.pool.get_conn().await?.query_drop(sql).await?)
    };
    spoil(&waiting[3]).await?;
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    drop(core);
    set.stage.options.dispatch = true;
    set.stage.start_core().await?;
    // In doubt and spoilt before it is asked for.
    let spoilt = doubtful[2].clone();
    let begun = Instant::now();
    while set.stage.client.order(&spoilt).await?["tradeTime"].is_null() {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "never sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sql = format!(
        "UPDATE {}.orders SET currency='?' WHERE order_id='{spoilt}'",
        set.stage.schemas.orders
    );
    set.stage.pool.get_conn().await?.query_drop(sql).await?;
    for order in waiting
        .iter()
        .chain(&doubtful)
        .filter(|o| **o != waiting[3] && **o != spoilt)
    {
        set.stage.wait_for_status(order, "success").await?;
    }
    wait_for_case(&set, &waiting[3], "unreadable open -").await?;
    wait_for_case(&set, &spoilt, "unreadable open -").await
}
