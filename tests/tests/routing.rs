//! Routing on the real stage: a change holds at once, limits hold over instances,
//! what waits says why, and what was rejected stays with the order.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::setup::ports::free_port;
use sluice_drill::setup::process::binary;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::client::StageClient;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, top};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const BOTH_CHANNELS: &str =
    "[[channel]]\nid = \"netsunion\"\npriority = 1\n[[channel]]\nid = \"unionpay\"\npriority = 2\n";

/// Runs `sluice routing …`: whether it went well, and what it said.
fn sluice(args: &[&str], config: Option<&Path>) -> anyhow::Result<(bool, String)> {
    let mut command = Command::new(binary("sluice")?);
    command.arg("routing").args(args);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let ran = command.output()?;
    let text =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    Ok((ran.status.success(), text))
}

/// A stage whose routing is changed as an operator does.
struct RoutedStage {
    set: TestStage,
}

impl RoutedStage {
    async fn up(accounts: u64) -> anyhow::Result<Self> {
        let set = TestStage::up(options()).await?;
        Traffic::new("route", accounts)
            .fund(&set.stage, 1_000)
            .await?;
        Ok(RoutedStage { set })
    }

    fn run(&self, args: &[&str]) -> anyhow::Result<(bool, String)> {
        sluice(args, Some(&self.set.stage.dir.join("core.toml")))
    }

    /// Puts a file in force; returns what was said.
    fn apply(&self, text: &str) -> anyhow::Result<String> {
        let path = self.set.path().join("routing.toml");
        std::fs::write(&path, text)?;
        let path = path.display().to_string();
        let (well, said) = self.run(&["apply", &path, "--author", "test", "--reason", "drill"])?;
        ensure!(well, "{text}\n→ {said}");
        Ok(said)
    }

    async fn submit(&self, name: &str, more: Value) -> anyhow::Result<String> {
        submit(&self.set.stage.client, name, more).await
    }

    /// Submits, waits for success, and returns what is shown.
    async fn paid(&self, name: &str, more: Value) -> anyhow::Result<Value> {
        let order = self.submit(name, more).await?;
        self.set.stage.wait_for_status(&order, "success").await?;
        self.set.stage.client.order(&order).await
    }

    /// The order once it says that it waits for `word`.
    async fn waits_for(&self, order: &str, word: &str) -> anyhow::Result<Value> {
        let begun = Instant::now();
        loop {
            let shown = self.set.stage.client.order(order).await?;
            if shown["waitsFor"]
                .as_str()
                .is_some_and(|why| why.contains(word))
            {
                return Ok(shown);
            }
            ensure!(
                begun.elapsed() < Duration::from_secs(20),
                "never waited for {word}: {shown}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn submit(client: &StageClient, name: &str, more: Value) -> anyhow::Result<String> {
    let mut body = json!({ "fromAccountId": "A00001", "toAccountId": "payee", "amount": "1.25", "currency": "CNY",
                           "transactionId": name });
    for (field, value) in more.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    let (status, answer) = client.post("/withdraw/submit", &body, &[]).await?;
    let id = answer["data"]["withdrawOrderId"]
        .as_str()
        .map(str::to_owned);
    id.filter(|_| status == 202)
        .with_context(|| format!("{status} {answer}"))
}

/// `chosen|channel by|…`
fn route_text(order: &Value) -> String {
    let mut text = order["route"]["chosen"].as_str().unwrap_or("-").to_owned();
    for r in order["route"]["rejected"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "|{} {}",
            r["channel"].as_str().unwrap_or("?"),
            r["by"].as_str().unwrap_or("?")
        ));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_at_once_and_can_be_taken_back() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    let first = routed.paid("none", json!({})).await?;
    ensure!(
        route_text(&first) == "netsunion" && first["route"]["version"] == 0,
        "{first}"
    );

    let said = routed.apply(BOTH_CHANNELS)?;
    ensure!(
        said.contains("+ channel netsunion") && said.contains("version 1 is in force"),
        "{said}"
    );
    let order = routed.paid("first", json!({})).await?;
    ensure!(
        route_text(&order) == "netsunion" && order["route"]["version"] == 1,
        "{order}"
    );

    // Paused: new orders take the other channel, one that insists waits and says why.
    let paused = BOTH_CHANNELS.replacen(
        "priority = 1",
        "priority = 1\npaused = true\nnote = \"line works\"",
        1,
    );
    let said = routed.apply(&paused)?;
    ensure!(
        said.contains("~ channel netsunion") && !said.contains("unionpay"),
        "{said}"
    );
    let order = routed.paid("second", json!({})).await?;
    ensure!(
        route_text(&order) == "unionpay|netsunion pause" && order["channel"] == "unionpay",
        "{order}"
    );
    let insists = routed
        .submit("insists", json!({ "channel": "netsunion" }))
        .await?;
    let shown = routed.waits_for(&insists, "line works").await?;
    ensure!(
        shown["route"]["chosen"].is_null() && route_text(&shown) == "-|netsunion pause",
        "{shown}"
    );
    let (_, said) = routed.run(&["explain", &insists])?;
    ensure!(
        said.contains("by version 2") && said.contains("line works"),
        "{said}"
    );
    // It is looked at again and again, and written once.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    ensure!(
        routed.set.stage.client.order(&insists).await?["version"] == 2,
        "rewritten at every look"
    );

    let (well, said) = routed.run(&[
        "rollback",
        "1",
        "--author",
        "test",
        "--reason",
        "the line works again",
    ])?;
    ensure!(well, "{said}");
    routed
        .set
        .stage
        .wait_for_status(&insists, "success")
        .await?;
    ensure!(route_text(&routed.paid("third", json!({})).await?) == "netsunion");
    let (_, said) = routed.run(&["history"])?;
    ensure!(
        said.contains("2→1") && said.contains("the line works again") && said.contains("1*"),
        "{said}"
    );
    let (_, shown) = routed.run(&["show"])?;
    ensure!(
        shown.contains("# version 1") && shown.contains("id = \"unionpay\""),
        "{shown}"
    );
    wrong_configurations(&routed).await?;
    routed.set.all_is_well().await
}

/// Refused by the tool; and what gets into the tables past it leaves the last good
/// one in force.
async fn wrong_configurations(routed: &RoutedStage) -> anyhow::Result<()> {
    let stage = &routed.set.stage;
    let path = routed.set.path().join("wrong.toml");
    for (text, part) in [
        (
            format!(
                "{BOTH_CHANNELS}[[rule]]\nid = \"r\"\ncondition = \"amuont < 1\"\nmessage = \"no\"\n"
            ),
            "amuont",
        ),
        (
            BOTH_CHANNELS.replace("unionpay", "pigeon"),
            "is not in the core's settings",
        ),
        (BOTH_CHANNELS.to_owned(), "says just the same"),
    ] {
        std::fs::write(&path, text)?;
        let path = path.display().to_string();
        let (well, said) =
            routed.run(&["apply", &path, "--author", "test", "--reason", "drill"])?;
        ensure!(!well && said.contains(part), "{said}");
    }
    let mut conn = stage.pool.get_conn().await?;
    let orders = &stage.schemas.orders;
    let by_hand = [
        format!(
            "INSERT INTO {orders}.route_version (version,author,reason,hash,no_route,created_us) SELECT 9,author,reason,hash,no_route,created_us FROM {orders}.route_version WHERE version=1"
        ),
        format!("UPDATE {orders}.route_active SET version=9 WHERE name='active'"),
    ];
    for statement in &by_hand {
        conn.query_drop(statement).await?;
    }
    let order = routed.paid("last-good", json!({})).await?;
    ensure!(order["route"]["version"] == 1, "{order}");
    ensure!(
        stage.core_metric("sluice_core_routing_invalid").await? == 1,
        "nothing says that version 9 is wrong"
    );
    let (well, said) = routed.run(&["rollback", "9", "--author", "test", "--reason", "drill"])?;
    ensure!(!well, "{said}");
    let (well, said) = routed.run(&["rollback", "2", "--author", "test", "--reason", "drill"])?;
    ensure!(well, "{said}");
    ensure!(route_text(&routed.paid("mended", json!({})).await?) == "unionpay|netsunion pause");
    ensure!(stage.core_metric("sluice_core_routing_invalid").await? == 0);
    ensure!(stage.core_metric("sluice_core_routing_version").await? == 2);
    Ok(())
}

/// Rules of every sort, and what each does to an order.
const RULES_CONFIG: &str = r#"
[[rule]]
id = "single"
condition = "amount <= most"
message = "{amount} is above {most}"
details.netsunion.most = 5
[[rule]]
id = "maintenance"
condition = "bank != \"NIGHT\" || !within(windows)"
message = "closed"
details.netsunion.windows = ["daily 00:00-24:00"]
details.unionpay.windows = ["2020-01-01 00:00-2020-01-02 00:00"]
[[rule]]
id = "banks"
condition = "!(bank in banks)"
message = "bank {bank} can't be reached"
details."*".banks = ["CLOSED"]
details.netsunion.banks = ["CLOSED", "RCCB"]
[[rule]]
id = "accounts"
condition = "!(account in accounts)"
message = "not for {account}"
details.netsunion.accounts = ["A00002"]
[[rule]]
id = "payees"
condition = "!(to_account in payees)"
message = "{to_account} is blocked"
otherwise = "fail"
details."*".payees = ["thief"]
[[limit]]
scope = "user"
currency = "CNY"
single = "7.50"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_blacklists_decide_and_what_has_no_route_waits_or_fails() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    routed.apply(&format!("{BOTH_CHANNELS}{RULES_CONFIG}"))?;
    let cases = [
        ("plain", json!({}), "netsunion"),
        (
            "large",
            json!({ "amount": "5.01" }),
            "unionpay|netsunion rule single",
        ),
        (
            "night",
            json!({ "bankCode": "NIGHT" }),
            "unionpay|netsunion rule maintenance",
        ),
        (
            "bank",
            json!({ "bankCode": "RCCB" }),
            "unionpay|netsunion rule banks",
        ),
        (
            "account",
            json!({ "fromAccountId": "A00002" }),
            "unionpay|netsunion rule accounts",
        ),
    ];
    for (name, more, want) in cases {
        let order = routed.paid(name, more).await?;
        ensure!(route_text(&order) == want, "{name}: {order}");
    }
    // Nobody takes it: it waits, says why, and goes on after a change.
    let waits = routed
        .submit("waits", json!({ "bankCode": "CLOSED" }))
        .await?;
    let shown = routed
        .waits_for(&waits, "bank CLOSED can't be reached")
        .await?;
    ensure!(
        route_text(&shown) == "-|netsunion rule banks|unionpay rule banks",
        "{shown}"
    );
    let limited = routed
        .submit("limited", json!({ "amount": "7.51", "userId": "u1" }))
        .await?;
    routed
        .waits_for(&limited, "7.51 is above 7.5 CNY in one payment")
        .await?;
    // Its metrics are counted every other second.
    let begun = Instant::now();
    while routed
        .set
        .stage
        .core_metric("sluice_core_unrouted_orders")
        .await?
        != 2
    {
        ensure!(
            begun.elapsed() < Duration::from_secs(10),
            "orders without a route are not counted"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Not kept waiting only to fail in the end: the blocked payee counts first.
    let thief = routed
        .submit(
            "thief",
            json!({ "toAccountId": "thief", "bankCode": "CLOSED" }),
        )
        .await?;
    routed.set.stage.wait_for_status(&thief, "failed").await?;
    let shown = routed.set.stage.client.order(&thief).await?;
    ensure!(
        shown["resultCode"] == "no_route"
            && route_text(&shown) == "-|netsunion rule payees|unionpay rule payees",
        "{shown}"
    );
    // Taken back while it waits, like any order that was never sent.
    let cancelled = routed
        .submit("cancelled", json!({ "bankCode": "CLOSED" }))
        .await?;
    routed.waits_for(&cancelled, "a route").await?;
    routed.set.stage.client.cancel(&cancelled).await?;
    let (_, account) = routed.set.stage.client.get("/accounts/A00001").await?;
    ensure!(
        account["data"]["balances"][0]["reserved"] == "8.76",
        "failed or cancelled orders keep money: {account}"
    );

    routed.apply(
        &format!("{BOTH_CHANNELS}{RULES_CONFIG}")
            .replace("\"CLOSED\"", "\"SHUT\"")
            .replace("7.50", "8"),
    )?;
    routed.set.stage.wait_for_status(&waits, "success").await?;
    routed
        .set
        .stage
        .wait_for_status(&limited, "success")
        .await?;
    routed.set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_declines_for_itself_alone_goes_through_another() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    let limit = "[[limit]]\nscope = \"channel\"\ncurrency = \"CNY\"\nday = 50\n";
    routed.apply(&format!("{BOTH_CHANNELS}{limit}"))?;
    let (sims, client) = (&routed.set.stage.sims, &routed.set.stage.client);
    for name in ["near", "nowhere"] {
        sims.add_script(
            SimulatorKind::NetsUnion,
            ActionScript::new(name, ScriptedAction::NotHere),
        )?;
    }
    sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new("later", ScriptedAction::NotHereLater { ms: 300 }),
    )?;
    sims.add_script(
        SimulatorKind::UnionPay,
        ActionScript::new("nowhere", ScriptedAction::NotHereLater { ms: 50 }),
    )?;

    for name in ["near", "later"] {
        let order = routed.paid(name, json!({ "toAccountId": name })).await?;
        ensure!(
            route_text(&order) == "unionpay|netsunion channel" && order["channel"] == "unionpay",
            "{order}"
        );
        let id = order["withdrawOrderId"]
            .as_str()
            .context("an order has an id")?;
        ensure!(
            order["serialNo"] == sluice_contract::ids::serial_no(id).as_str(),
            "{order}"
        );
        ensure!(
            attempts(&routed.set, id).await?
                == ["1 netsunion failed NULL", "2 unionpay success NULL"],
            "{order}"
        );
    }
    // Nobody takes it: it ends by what the last one said, and nothing stays counted.
    let nowhere = routed
        .submit("nowhere", json!({ "toAccountId": "nowhere" }))
        .await?;
    routed.set.stage.wait_for_status(&nowhere, "failed").await?;
    let shown = client.order(&nowhere).await?;
    ensure!(
        shown["resultCode"] == "00N" && shown["route"]["tried"] == json!(["netsunion", "unionpay"]),
        "{shown}"
    );
    // Its caller wants this channel and no other.
    let wished = routed
        .submit(
            "wished",
            json!({ "toAccountId": "near", "channel": "netsunion" }),
        )
        .await?;
    routed.set.stage.wait_for_status(&wished, "failed").await?;
    ensure!(client.order(&wished).await?["resultCode"] == "1005");
    // Between two channels it can be taken back.
    routed.apply(
        &format!("{BOTH_CHANNELS}{limit}").replace("priority = 2", "priority = 2\npaused = true"),
    )?;
    let between = routed
        .submit("between", json!({ "toAccountId": "near" }))
        .await?;
    routed.waits_for(&between, "unionpay: pause").await?;
    client.cancel(&between).await?;
    let cases: Option<u64> = {
        let mut conn = routed.set.stage.pool.get_conn().await?;
        conn.query_first(format!(
            "SELECT COUNT(*) FROM {}.cases",
            routed.set.stage.schemas.orders
        ))
        .await?
    };
    ensure!(
        cases == Some(0),
        "a word that was only repeated became a case"
    );
    routed.set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_paid_what_it_declined_keeps_the_order_from_every_other()
-> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    let (set, client) = (&routed.set, &routed.set.stage.client);
    set.stage.sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new("liar", ScriptedAction::NotHereThoughPaid { ms: 1_500 }),
    )?;
    routed.apply(&BOTH_CHANNELS.replace("priority = 2", "priority = 2\npaused = true"))?;
    let order = routed
        .submit("lied", json!({ "toAccountId": "liar" }))
        .await?;
    routed.waits_for(&order, "unionpay: pause").await?;
    set.stage.wait_for_status(&order, "manual").await?;
    // The other channel is free now, and must not be asked.
    routed.apply(BOTH_CHANNELS)?;
    routed
        .paid("after", json!({ "channel": "unionpay" }))
        .await?;
    ensure!(
        client.cancel(&order).await.is_err(),
        "taken back, though it is said to be paid"
    );
    let shown = client.order(&order).await?;
    ensure!(
        shown["status"] == "manual" && shown["route"]["recanted"] == json!(["netsunion"]),
        "{shown}"
    );
    ensure!(
        attempts(set, &order).await? == ["1 netsunion failed NULL"],
        "sent again: {shown}"
    );
    let cases: Vec<(String, String)> = {
        let mut conn = set.stage.pool.get_conn().await?;
        conn.query(format!(
            "SELECT kind,detail FROM {}.cases WHERE state='open'",
            set.stage.schemas.orders
        ))
        .await?
    };
    ensure!(
        cases.len() == 1
            && cases[0].0 == "contradiction"
            && cases[0].1.contains("says that it paid"),
        "{cases:?}"
    );
    set.histories_have_no_gap().await?;
    let held = set.stage.invariants().await?;
    ensure!(
        held.paid_at_most_once && held.ledger_balanced && held.balances_match_ledger,
        "{:?}",
        held.problems
    );
    set.everything_is_evaluated().await?;
    let seen = set.verdicts().await?;
    ensure!(
        seen.len() == 1 && seen[0].starts_with("channel_contradicts "),
        "{seen:?}"
    );
    Ok(())
}

/// `number channel state live` of each try.
async fn attempts(set: &TestStage, order: &str) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT_WS(' ',attempt_no,channel,state,IFNULL(live,'NULL')) FROM {}.attempt WHERE order_id='{order}' \
         ORDER BY attempt_no",
        set.stage.schemas.orders
    );
    Ok(set.stage.pool.get_conn().await?.query(sql).await?)
}

/// A day's limit begins anew at midnight of the channel's zone: not within this test.
async fn away_from_midnight() -> anyhow::Result<()> {
    while sluice_contract::clock::trade_time(sluice_contract::clock::now_us(), "Asia/Shanghai")?
        .get(8..12)
        == Some("2359")
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// What is counted of account A00001 now, in one look.
async fn counted(set: &TestStage) -> anyhow::Result<Decimal> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT IFNULL(SUM(amount),0) FROM {}.orders WHERE account_id='A00001' AND attempts>0 \
         AND state NOT IN ('failed','returned')",
        set.stage.schemas.orders
    );
    Ok(conn.query_first(sql).await?.unwrap_or_default())
}

async fn until_counted(set: &TestStage, want: Decimal) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let now = counted(set).await?;
        ensure!(now <= Decimal::from(50), "{now} were sent, the limit is 50");
        if now == want {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "{now} are counted, not {want}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_limit_holds_over_two_cores_and_takes_back_what_failed_or_returned()
-> anyhow::Result<()> {
    away_from_midnight().await?;
    let routed = RoutedStage::up(3).await?;
    let set = &routed.set;
    let limit = "[[limit]]\nscope = \"account\"\ncurrency = \"CNY\"\nday = 50\n";
    let equal = BOTH_CHANNELS.replace("priority = 2", "priority = 1");
    routed.apply(&format!(
        "{equal}{limit}[[limit]]\nscope = \"business\"\ncurrency = \"CNY\"\nmonth = 100000\n"
    ))?;
    set.stage.sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new("fail", ScriptedAction::Fail),
    )?;
    set.stage.sims.add_script(
        SimulatorKind::UnionPay,
        ActionScript::new("fail", ScriptedAction::FailLater { ms: 100 }),
    )?;
    set.stage.sims.add_script(
        SimulatorKind::UnionPay,
        ActionScript::new("back", ScriptedAction::ReturnAfterSuccess { ms: 150 }),
    )?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let other = StageClient::new(
        &ports.url(ports.core),
        &ports.url(ports.sidecar),
        &set.stage.token,
    )?;

    // 90 orders of 1.25 where 40 fit; a third fails, a third comes back: in the end
    // every one of these has made room for another.
    let orders = futures_util::future::try_join_all((0..90).map(|n| {
        let client = if n % 2 == 0 {
            &set.stage.client
        } else {
            &other
        };
        let (to, channel) = match n % 3 {
            0 => (format!("fail-{n}"), None),
            1 => (format!("back-{n}"), Some("unionpay")),
            _ => (format!("payee-{n}"), None),
        };
        let user = format!("u{}", n % 5);
        let more = json!({ "toAccountId": to, "channel": channel, "userId": user });
        async move { submit(client, &format!("limit-{n}"), more).await }
    }));
    let (orders, killed) = tokio::join!(orders, async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        second.kill9()?;
        second.restart()
    });
    killed?;
    let orders = orders?;
    let begun = Instant::now();
    while set.stage.drain(0, Duration::ZERO).await? > 0 {
        let now = counted(set).await?;
        ensure!(now <= Decimal::from(50), "{now} were sent, the limit is 50");
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "orders still wait although there is room"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Nothing is sent any more; once the last has come back, the 30 that stay paid
    // are left: 37.50. (Before the end of sending that sum may just pass by.)
    until_counted(set, Decimal::new(3_750, 2)).await?;
    ensure!(orders.len() == 90);

    // Ten more fit to the cent; the eleventh waits, and goes once the limit is raised.
    for n in 0..10 {
        routed.paid(&format!("more-{n}"), json!({})).await?;
    }
    let over = routed.submit("over", json!({ "amount": "0.01" })).await?;
    routed.waits_for(&over, "50 of 50 CNY are taken").await?;
    ensure!(counted(set).await? == Decimal::from(50));
    routed.apply(&format!("{equal}{}", limit.replace("50", "\"50.01\"")))?;
    set.stage.wait_for_status(&over, "success").await?;
    set.all_is_well().await?;
    // What that compares is worth something: a cent too much in one total is seen.
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "UPDATE {}.limit_total SET amount=amount+0.01 LIMIT 1",
        set.stage.schemas.orders
    ))
    .await?;
    ensure!(
        !set.stage.invariants().await?.totals_match_orders,
        "a wrong total was not seen"
    );
    Ok(())
}

#[test]
fn the_example_is_right_and_hostile_files_are_refused() -> anyhow::Result<()> {
    let example = top()
        .join("docs/routing.example.toml")
        .display()
        .to_string();
    let (well, said) = sluice(&["check", &example], None)?;
    ensure!(well, "{said}");
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("routing.toml");
    let cases = [
        ("loop {}", "r:"),
        ("while true {}", "r:"),
        ("[].pad(900000000, 1) == 1", "too large"),
        ("\\\"x\\\".pad(900000000, 'x') == 1", "too large"),
        ("sleep(100) == 1", "sleep"),
        ("eval(\\\"1\\\") == 1", "r:"),
        ("amount <= \\\"5\\\"", "can't compare"),
        ("amount", "not true or false"),
    ];
    for (condition, part) in cases {
        std::fs::write(
            &path,
            format!(
                "{BOTH_CHANNELS}[[rule]]\nid = \"r\"\ncondition = \"{condition}\"\nmessage = \"no\"\n"
            ),
        )?;
        let begun = Instant::now();
        let (well, said) = sluice(&["check", &path.display().to_string()], None)?;
        ensure!(
            !well && said.contains(part) && said.contains("routing.toml:7"),
            "{condition}: {said}"
        );
        ensure!(
            begun.elapsed() < Duration::from_secs(10),
            "{condition} took {:?}",
            begun.elapsed()
        );
    }
    Ok(())
}
