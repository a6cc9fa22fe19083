//! Cash-outs, settlements and refunds: each behind its own breaker point, none beyond
//! what was captured, in any currency, from several cores at once.

use anyhow::{Context, ensure};
use futures_util::future::join_all;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED, PAYMENT_SUCCEEDED};
use sluice_contract::ids::serial_no;
use sluice_contract::order::OrderKind;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind as Channel};
use sluice_drill::load::request::LoadWithdrawal;
use sluice_drill::load::{ClosedLoad, LoadEnd, closed};
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::client::StageClient;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

fn business_event(
    kind: &str,
    account: &str,
    biz_no: &str,
    amount: &str,
    currency: &str,
) -> anyhow::Result<BusinessEvent> {
    Ok(BusinessEvent {
        id: format!("{kind}-{biz_no}"),
        kind: kind.into(),
        account_id: account.into(),
        biz_no: biz_no.into(),
        amount: Decimal::from_str_exact(amount)?,
        currency: currency.into(),
        occurred_us: now_us(),
    })
}

/// Gives an account available money: told, then booked. `amount` is JSON.
async fn deposit(
    set: &TestStage,
    account: &str,
    amount: &Value,
    currency: &str,
) -> anyhow::Result<()> {
    let text = amount.as_str().map_or(amount.to_string(), str::to_owned);
    let biz_no = format!("dep-{account}-{currency}");
    set.stage
        .events
        .send(&business_event(
            DEPOSIT_RECEIVED,
            account,
            &biz_no,
            &text,
            currency,
        )?)
        .await?;
    let body =
        json!({ "accountId": account, "amount": amount, "currency": currency, "bizNo": biz_no });
    let (status, answer) = set.stage.client.post("/deposit", &body, &[]).await?;
    ensure!(status == 202, "{answer}");
    Ok(())
}

/// Whatever `field` of the account's balance in `currency` is.
async fn holds(
    set: &TestStage,
    account: &str,
    currency: &str,
    field: &str,
) -> anyhow::Result<Value> {
    let (_, answer) = set
        .stage
        .client
        .get(&format!("/accounts/{account}"))
        .await?;
    let balances = answer["data"]["balances"].as_array().context("balances")?;
    let of = balances
        .iter()
        .find(|b| b["currency"] == currency)
        .with_context(|| answer.to_string())?;
    Ok(of[field].clone())
}

async fn captured(set: &TestStage, account: &str, payment: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let mut conn = set.stage.pool.get_conn().await?;
        let sql = format!(
            "SELECT 1 FROM {}.capture WHERE account_id=? AND payment_no=?",
            set.stage.schemas.balance
        );
        if conn
            .exec_first::<u8, _, _>(sql, (account, payment))
            .await?
            .is_some()
        {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(40),
            "{payment} was not captured"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(
    client: &StageClient,
    path: &str,
    key: &str,
    body: Value,
) -> anyhow::Result<(u16, Value)> {
    client.post(path, &body, &[("idempotent-key", key)]).await
}

/// An accepted order's id.
async fn accepted(
    set: &TestStage,
    kind: OrderKind,
    key: &str,
    body: Value,
) -> anyhow::Result<String> {
    let (status, answer) = ask(&set.stage.client, &format!("/{}", kind.word()), key, body).await?;
    ensure!(status == 202, "{key}: {status} {answer}");
    let id = answer["data"][format!("{}OrderId", kind.word())]
        .as_str()
        .context("an order's id")?;
    Ok(id.to_owned())
}

fn body(kind: OrderKind, amount: &str) -> Value {
    match kind {
        OrderKind::CashOut => {
            json!({ "fromAccountId": "M", "toAccountId": "bank-M", "amount": amount })
        }
        OrderKind::Settlement => json!({ "accountId": "M", "amount": amount }),
        OrderKind::Refund => {
            json!({ "accountId": "M", "paymentNo": "P-1", "toAccountId": "payer", "amount": amount })
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_has_its_own_breaker_point_and_its_own_events() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    deposit(&set, "M", &json!("100.00"), "CNY").await?;
    set.stage
        .events
        .send(&business_event(
            PAYMENT_SUCCEEDED,
            "M",
            "P-1",
            "100.00",
            "CNY",
        )?)
        .await?;
    captured(&set, "M", "P-1").await?;
    let client = &set.stage.client;
    for stopped in OrderKind::ALL {
        let breaker = format!("{}/account/M", stopped.as_str());
        client.trip(&breaker, "test", "this point only").await?;
        let mut held = String::new();
        for kind in OrderKind::ALL {
            let order = accepted(
                &set,
                kind,
                &format!("{stopped:?}-{kind:?}"),
                body(kind, "10.00"),
            )
            .await?;
            if kind == stopped {
                held = order;
            } else {
                set.stage
                    .wait_for_status_of(kind, &order, "success")
                    .await?;
            }
        }
        let shown = client.order_of(stopped, &held).await?;
        let why = shown["waitsFor"].as_str().unwrap_or_default();
        ensure!(
            shown["status"] == "init" && why.contains(&breaker),
            "{stopped:?}: {shown}"
        );
        // Another kind's path does not know it.
        for other in OrderKind::ALL.into_iter().filter(|k| *k != stopped) {
            let (status, answer) = client.get(&format!("/{}/{held}", other.word())).await?;
            ensure!(
                status == 404 && answer["code"] == 40400,
                "{other:?}: {answer}"
            );
        }
        client.reset(&breaker, "test", "over").await?;
        set.stage
            .wait_for_status_of(stopped, &held, "success")
            .await?;
    }
    // 30 each: paid out, settled, refunded; the settled came onto the available money.
    for (field, want) in [
        ("available", "100"),
        ("reserved", "0"),
        ("intermediate", "40"),
        ("intermediateReserved", "0"),
    ] {
        ensure!(
            holds(&set, "M", "CNY", field).await? == want,
            "{field}: {}",
            holds(&set, "M", "CNY", field).await?
        );
    }
    ensure!(
        set.stage.book().len() == 6,
        "settlements leave by no channel: {:?}",
        set.stage.book()
    );
    // A waiting one is taken back, once, and its money with it.
    client
        .trip("settlement/account/M", "test", "to cancel")
        .await?;
    let order = accepted(
        &set,
        OrderKind::Settlement,
        "cancelled",
        body(OrderKind::Settlement, "40.00"),
    )
    .await?;
    ensure!(
        holds(&set, "M", "CNY", "intermediate").await? == "0",
        "not reserved"
    );
    let (status, answer) = client
        .post(&format!("/settlement/{order}/cancel"), &json!({}), &[])
        .await?;
    ensure!(
        status == 200 && answer["data"]["settlementOrderId"] == order.as_str(),
        "{answer}"
    );
    ensure!(
        holds(&set, "M", "CNY", "intermediate").await? == "40",
        "not given back"
    );
    client.reset("settlement/account/M", "test", "over").await?;
    set.all_is_well().await?;
    let begun = Instant::now();
    loop {
        let kinds: Vec<String> = set.published()?.into_iter().map(|e| e.kind).collect();
        let count = |kind: &str| kinds.iter().filter(|k| *k == kind).count();
        let all = [
            ("accepted", [3, 4, 3]),
            ("success", [3, 3, 3]),
            ("failed", [0, 1, 0]),
        ];
        let as_wanted = all.iter().all(|(end, times)| {
            OrderKind::ALL
                .iter()
                .zip(times)
                .all(|(kind, n)| count(&format!("{}.{end}", kind.word())) == *n)
        });
        if as_wanted && count("payment.captured") == 1 && count("deposit.booked") == 1 {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "{kinds:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_or_comes_back_gives_back_and_bad_requests_are_named()
-> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    set.stage
        .events
        .send(&business_event(
            PAYMENT_SUCCEEDED,
            "M",
            "P-1",
            "100.00",
            "CNY",
        )?)
        .await?;
    set.stage
        .events
        .send(&business_event(
            PAYMENT_SUCCEEDED,
            "M",
            "P-2",
            "50.00",
            "CNY",
        )?)
        .await?;
    set.stage.sims.add_script(
        Channel::NetsUnion,
        ActionScript::new("fails.", ScriptedAction::Fail),
    )?;
    set.stage.sims.add_script(
        Channel::UnionPay,
        ActionScript::new("back.", ScriptedAction::ReturnAfterSuccess { ms: 200 }),
    )?;
    captured(&set, "M", "P-1").await?;
    captured(&set, "M", "P-2").await?;
    let refund = |to: &str, amount: &str, channel: &str| {
        json!({ "accountId": "M", "paymentNo": "P-1", "toAccountId": to, "amount": amount, "currency": "CNY",
                "bankCode": "ICBC", "userId": "u-1", "bizNo": format!("R-{to}"), "channel": channel })
    };
    let of_payment = |payment: &'static str| taken_of(&set, payment);
    for (to, channel, end) in [
        ("fails.payer", "netsunion", "failed"),
        ("back.payer", "unionpay", "returned"),
    ] {
        let order = accepted(&set, OrderKind::Refund, to, refund(to, "80.00", channel)).await?;
        set.stage
            .wait_for_status_of(OrderKind::Refund, &order, end)
            .await?;
        ensure!(
            of_payment("P-1").await? == (Decimal::ZERO, Decimal::ZERO),
            "{to}: {:?}",
            of_payment("P-1").await?
        );
        ensure!(
            holds(&set, "M", "CNY", "intermediate").await? == "150",
            "{to}"
        );
        let paid = set
            .stage
            .book()
            .iter()
            .any(|p| p.serial_no == serial_no(&order) && p.returned);
        ensure!(paid == (end == "returned"), "{to}: {:?}", set.stage.book());
    }
    let order = accepted(
        &set,
        OrderKind::Refund,
        "good",
        refund("payer", "80.00", "unionpay"),
    )
    .await?;
    set.stage
        .wait_for_status_of(OrderKind::Refund, &order, "success")
        .await?;
    let settle = |more: Value| {
        let mut body =
            json!({ "accountId": "M", "amount": "20.01", "currency": "CNY", "paymentNo": "P-1" });
        more.as_object()
            .into_iter()
            .flatten()
            .for_each(|(k, v)| body[k] = v.clone());
        body
    };
    let without = |mut body: Value, field: &str| {
        body.as_object_mut().map(|o| o.remove(field));
        body
    };
    let bad = [
        ("/settlement", settle(json!({})), 422, 42204, "paymentNo"),
        (
            "/refund",
            refund("payer", "20.01", "unionpay"),
            422,
            42204,
            "paymentNo",
        ),
        (
            "/settlement",
            settle(json!({ "paymentNo": "P-9" })),
            422,
            42203,
            "paymentNo",
        ),
        (
            "/settlement",
            settle(json!({ "currency": "USD" })),
            422,
            42201,
            "currency",
        ),
        (
            "/settlement",
            settle(json!({ "accountId": "nobody" })),
            422,
            42201,
            "accountId",
        ),
        (
            "/settlement",
            without(settle(json!({ "amount": "70.01" })), "paymentNo"),
            422,
            42202,
            "amount",
        ),
        (
            "/settlement",
            settle(json!({ "channel": "unionpay" })),
            400,
            40001,
            "channel",
        ),
        (
            "/settlement",
            without(settle(json!({})), "accountId"),
            400,
            40001,
            "accountId",
        ),
        (
            "/refund",
            without(refund("payer", "1", "unionpay"), "paymentNo"),
            400,
            40001,
            "paymentNo",
        ),
        (
            "/refund",
            without(refund("payer", "1", "unionpay"), "toAccountId"),
            400,
            40001,
            "toAccountId",
        ),
        (
            "/refund",
            refund("payer", "1.001", "unionpay"),
            400,
            40002,
            "amount",
        ),
        (
            "/refund",
            refund("payer", "1", "pigeon"),
            400,
            40001,
            "channel",
        ),
    ];
    for (path, body, status, code, names) in bad {
        let (got, answer) = ask(&set.stage.client, path, "kept", body.clone()).await?;
        let msg = answer["msg"].as_str().unwrap_or_default();
        ensure!(
            got == status && answer["code"] == code && msg.contains(names),
            "{path} {body}: {got} {answer}"
        );
    }
    let (_, answer) = set
        .stage
        .client
        .post("/refund", &refund("payer", "1", "unionpay"), &[])
        .await?;
    ensure!(answer["code"] == 40004, "{answer}");
    // The rest of the payment, under the key that no refusal burnt; then again.
    let rest = settle(json!({ "amount": "20.00" }));
    let order = accepted(&set, OrderKind::Settlement, "kept", rest.clone()).await?;
    ensure!(
        accepted(&set, OrderKind::Settlement, "kept", rest).await? == order,
        "a repeat is the same order"
    );
    let (status, answer) = ask(
        &set.stage.client,
        "/refund",
        "kept",
        refund("payer", "20.00", "unionpay"),
    )
    .await?;
    ensure!(
        status == 422 && answer["code"] == 42200,
        "another kind under the key: {answer}"
    );
    set.stage
        .wait_for_status_of(OrderKind::Settlement, &order, "success")
        .await?;
    ensure!(
        of_payment("P-1").await? == (Decimal::from(80), Decimal::from(20)),
        "{:?}",
        of_payment("P-1").await?
    );
    set.all_is_well().await?;
    is_told(&set, "refund.returned").await
}

/// What was refunded and settled of a payment.
async fn taken_of(set: &TestStage, payment: &str) -> anyhow::Result<(Decimal, Decimal)> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT refunded,settled FROM {}.capture WHERE payment_no=?",
        set.stage.schemas.balance
    );
    let row: Option<(Decimal, Decimal)> = conn.exec_first(sql, (payment,)).await?;
    row.context("no such payment")
}

async fn is_told(set: &TestStage, kind: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !set.published()?.iter().any(|e| e.kind == kind) {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{kind} was not told"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cores_and_a_kill_never_exceed_a_payment() -> anyhow::Result<()> {
    const PAYMENT_COUNT: u64 = 12;
    let set = TestStage::up(options()).await?;
    let merchants = MerchantTraffic::new("race", 3);
    merchants.pay(&set.stage, PAYMENT_COUNT).await?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let sidecar = set.stage.ports.url(set.stage.ports.sidecar);
    let other = StageClient::new(&ports.url(ports.core), &sidecar, &set.stage.token)?;
    // 30 requests of 10 for each payment of 100, over both cores, each until it has a
    // clear answer.
    let asks = (0..PAYMENT_COUNT * 30).map(|n| {
        let (payment, client) = (
            n % PAYMENT_COUNT,
            if n % 2 == 0 {
                set.stage.client.clone()
            } else {
                other.clone()
            },
        );
        let mut body = json!({ "accountId": merchants.account(payment), "amount": "10.00",
                               "paymentNo": merchants.payment_no(payment) });
        let path = if n % 3 == 0 { "/settlement" } else { "/refund" };
        if path == "/refund" {
            body["toAccountId"] = json!(format!("payer-{n}"));
        }
        async move {
            let begun = Instant::now();
            loop {
                let answer = ask(&client, path, &format!("race-{n}"), body.clone()).await;
                match answer {
                    Ok((202, _)) => return Ok((payment, true)),
                    Ok((422, answer)) if answer["code"] == 42204 || answer["code"] == 42202 => {
                        return Ok((payment, false));
                    }
                    _ if begun.elapsed() < Duration::from_secs(60) => {
                        tokio::time::sleep(Duration::from_millis(20)).await
                    }
                    other => anyhow::bail!("{other:?}"),
                }
            }
        }
    });
    let (answers, killed) = tokio::join!(join_all(asks), async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            second.kill9()?;
            second.restart()?;
            second
                .wait_ready(&ports.address(ports.core_admin), Duration::from_secs(30))
                .await?;
        }
        anyhow::Ok(())
    });
    killed?;
    let mut taken = vec![0; PAYMENT_COUNT as usize];
    for answer in answers {
        let (payment, accepted) = answer?;
        taken[payment as usize] += u64::from(accepted);
    }
    ensure!(
        taken.iter().all(|n| *n == 10),
        "accepted of each payment: {taken:?}"
    );
    set.all_is_well().await?;
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT COUNT(*) FROM {}.capture WHERE refunded+settled=captured",
        set.stage.schemas.balance
    );
    let used: Option<u64> = conn.query_first(sql).await?;
    ensure!(used == Some(PAYMENT_COUNT), "{used:?} payments are used up");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_currency_has_its_own_decimals_from_request_to_payout() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    // JSON as written: a number keeps its own digits.
    let number = |text: &str| serde_json::from_str::<Value>(text);
    let cases = [
        ("JPY", json!("1000000"), number("100")?, "100", "100.0"),
        (
            "CNY",
            number("1000.10")?,
            json!("999.99"),
            "999.99",
            "0.001",
        ),
        (
            "BHD",
            number("1000.001")?,
            number("1.234")?,
            "1.234",
            "1.2345",
        ),
        ("BHD", json!("5"), json!("0.001"), "0.001", "0.0001"),
    ];
    for (n, (currency, given, asked, paid, too_fine)) in cases.into_iter().enumerate() {
        let account = format!("C-{n}");
        deposit(&set, &account, &given, currency).await?;
        let body = |amount: &Value| {
            json!({ "fromAccountId": account, "toAccountId": format!("to-{n}"), "amount": amount, "currency": currency,
                    "channel": "netsunion" })
        };
        for wrong in [json!(too_fine), number(too_fine)?] {
            let (status, answer) = ask(
                &set.stage.client,
                "/withdraw",
                &format!("c-{n}"),
                body(&wrong),
            )
            .await?;
            ensure!(
                status == 400 && answer["code"] == 40002,
                "{currency} {wrong}: {answer}"
            );
        }
        let order = accepted(&set, OrderKind::CashOut, &format!("c-{n}"), body(&asked)).await?;
        set.stage.wait_for_status(&order, "success").await?;
        ensure!(
            set.stage.client.order(&order).await?["amount"] == paid,
            "{}",
            set.stage.client.order(&order).await?
        );
        let left = set
            .stage
            .book()
            .into_iter()
            .find(|p| p.serial_no == serial_no(&order))
            .context("not paid")?;
        ensure!(
            left.amount == Decimal::from_str_exact(paid)? && left.currency == currency,
            "{left:?}"
        );
        let given =
            Decimal::from_str_exact(&given.as_str().map_or(given.to_string(), str::to_owned))?;
        let rest = (given - left.amount).normalize().to_string();
        ensure!(
            holds(&set, &account, currency, "available").await? == rest.as_str(),
            "{currency}"
        );
    }
    // A payment in dinars, refunded to the last of its thousandths.
    set.stage
        .events
        .send(&business_event(
            PAYMENT_SUCCEEDED,
            "M",
            "P-BHD",
            "7.125",
            "BHD",
        )?)
        .await?;
    captured(&set, "M", "P-BHD").await?;
    let refund = json!({ "accountId": "M", "paymentNo": "P-BHD", "toAccountId": "payer", "amount": number("7.125")?,
                         "currency": "BHD", "channel": "unionpay" });
    let order = accepted(&set, OrderKind::Refund, "bhd", refund).await?;
    set.stage
        .wait_for_status_of(OrderKind::Refund, &order, "success")
        .await?;
    ensure!(
        holds(&set, "M", "BHD", "intermediate").await? == "0",
        "not refunded"
    );
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_account_pays_exactly_what_it_has() -> anyhow::Result<()> {
    const ORDER_COUNT: u64 = 700;
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    set.stage
        .client
        .deposit("HOT", Decimal::new(ORDER_COUNT as i64 * 7, 2), "hot")
        .await?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let _second = set.stage.spawn_core("core-2", ports).await?;
    let load = |name: &'static str, address: String| {
        let target = sluice_drill::load::request::LoadTarget::new(&address);
        let load = ClosedLoad {
            address,
            connections: 32,
            until: LoadEnd::Count(ORDER_COUNT),
            deadline: Duration::from_secs(20),
        };
        let make = move |n: u64, out: &mut Vec<u8>| {
            let key = format!("{name}-{n}");
            let withdrawal = LoadWithdrawal {
                from_account: "HOT",
                to_account: "payee",
                amount: "0.07",
                currency: "CNY",
                user_id: "u",
                transaction_id: &key,
                biz_no: &key,
                channel: None,
            };
            target.submit(out, &withdrawal);
        };
        closed(load, make, |_, _, _: &[u8]| {})
    };
    let first = set.stage.ports.address(set.stage.ports.core);
    let (one, two) = tokio::join!(load("one", first), load("two", ports.address(ports.core)));
    let (one, two) = (one?, two?);
    ensure!(one.unanswered + two.unanswered == 0, "{one} {two}");
    ensure!(
        one.succeeded() + two.succeeded() == ORDER_COUNT,
        "{} and {} were accepted",
        one.succeeded(),
        two.succeeded()
    );
    let refused = |r: &sluice_drill::load::LoadReport| r.statuses.get(&422).copied().unwrap_or(0);
    ensure!(
        refused(&one) + refused(&two) == ORDER_COUNT,
        "{:?} {:?}",
        one.statuses,
        two.statuses
    );
    ensure!(
        holds(&set, "HOT", "CNY", "available").await? == "0",
        "something is left"
    );
    ensure!(
        holds(&set, "HOT", "CNY", "reserved").await? == "49",
        "reserved is off"
    );
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    Ok(())
}
