//! End users behind a gateway: the account that it names counts, for money and for reads.

use crate::access::{Upstream, available, client, orders, stage, start};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_tests::TestStage;

fn order(from: Option<&str>) -> Value {
    let mut body = json!({ "toAccountId": "payee", "amount": "1.00" });
    if let Some(from) = from {
        body["fromAccountId"] = json!(from);
    }
    body
}

async fn gateway() -> anyhow::Result<(TestStage, Upstream)> {
    let all = r#"may = ["withdraw", "settle", "refund", "deposit", "read", "cancel"]"#;
    let tables = client("office", &format!("{all}\naccounts = [\"*\"]"))
        + &client("gate", &format!("{all}\nend_user = \"header\""));
    let mut set = stage(&tables).await?;
    start(&mut set, &["office", "gate"]).await?;
    let office = Upstream::of(&set, "office")?;
    for account in ["A-mine", "A-yours"] {
        let biz_no = format!("fund-{account}");
        office
            .deposit(account, "10.00", &biz_no)
            .await?
            .is(202, 0)?;
    }
    let gate = Upstream::of(&set, "gate")?;
    Ok((set, gate))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_that_the_gateway_names_is_the_one_that_pays() -> anyhow::Result<()> {
    let (set, gate) = gateway().await?;
    let mine = gate.with("x-account-id", "A-mine");
    mine.withdraw("k-1", &order(Some("A-yours")))
        .await?
        .is(403, 40300)?;
    let submit = json!({ "fromAccountId": "A-yours", "toAccountId": "p", "amount": "1", "transactionId": "t-1" });
    mine.post("/withdraw/submit", &submit)
        .await?
        .is(403, 40300)?;
    let settlement = json!({ "accountId": "A-yours", "amount": "1.00" });
    let keyed = mine.with("idempotent-key", "k-2");
    keyed
        .post("/settlement", &settlement)
        .await?
        .is(403, 40300)?;
    let refund =
        json!({ "accountId": "A-yours", "amount": "1.00", "paymentNo": "p", "toAccountId": "t" });
    keyed.post("/refund", &refund).await?.is(403, 40300)?;
    mine.deposit("A-yours", "1.00", "d-1")
        .await?
        .is(403, 40300)?;

    let twice = mine.with("x-account-id", "A-yours");
    twice.withdraw("k-3", &order(None)).await?.is(400, 40001)?;
    let same_twice = mine.with("x-account-id", "A-mine");
    same_twice
        .withdraw("k-3", &order(None))
        .await?
        .is(400, 40001)?;
    for unreadable in ["", "A mine", "A-mïne", "A,B"] {
        let odd = gate.with("x-account-id", unreadable);
        let answer = odd.withdraw("k-4", &order(None)).await?;
        answer
            .is(400, 40001)
            .with_context(|| unreadable.to_owned())?;
    }
    gate.withdraw("k-5", &order(Some("A-yours")))
        .await?
        .is(400, 40001)?;
    let office = Upstream::of(&set, "office")?.with("x-account-id", "A-mine");
    office.withdraw("k-6", &order(None)).await?.is(403, 40300)?;
    ensure!(
        available(&set, "A-yours").await? == "10.0000",
        "somebody else paid"
    );
    ensure!(
        orders(&set, "A-mine").await? == 0,
        "a refused request made an order"
    );

    mine.withdraw("k-7", &order(None)).await?.is(202, 0)?;
    mine.withdraw("k-8", &order(Some("A-mine")))
        .await?
        .is(202, 0)?;
    ensure!(
        available(&set, "A-mine").await? == "8.0000",
        "the two orders are of A-mine"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_user_sees_and_cancels_own_orders_alone() -> anyhow::Result<()> {
    let (set, gate) = gateway().await?;
    let mine = gate.with("x-account-id", "A-mine");
    let yours = gate.with("x-account-id", "A-yours");
    let made = mine.withdraw("k", &order(None)).await?;
    let id = made.body["data"]["withdrawOrderId"]
        .as_str()
        .context("no order")?;
    mine.get(&format!("/withdraw/{id}")).await?.is(200, 0)?;
    mine.get("/accounts/A-mine").await?.is(200, 0)?;
    for path in ["", "/history"] {
        yours
            .get(&format!("/withdraw/{id}{path}"))
            .await?
            .is(404, 40400)?;
    }
    for action in ["cancel", "ack", "renotify"] {
        let path = format!("/withdraw/{id}/{action}");
        yours.send("POST", &path, "").await?.is(404, 40400)?;
    }
    // A user can't silence the notices that its client waits for.
    for action in ["ack", "renotify"] {
        let path = format!("/withdraw/{id}/{action}");
        mine.send("POST", &path, "").await?.is(403, 40300)?;
    }
    for path in ["", "/entries", "/statement.csv"] {
        yours
            .get(&format!("/accounts/A-mine{path}"))
            .await?
            .is(404, 40402)?;
    }
    for query in [
        "key=k",
        &format!("serialNo={}", id.to_ascii_uppercase()),
        "limit=10",
    ] {
        let found = yours.get(&format!("/withdraw?{query}")).await?;
        ensure!(
            found.body["data"]["orders"] == json!([]),
            "{query}: {}",
            found.body
        );
    }
    let found = mine.get("/withdraw?key=k").await?;
    ensure!(
        found.body["data"]["orders"][0]["withdrawOrderId"] == id,
        "{}",
        found.body
    );
    mine.send("POST", &format!("/withdraw/{id}/cancel"), "")
        .await?
        .is(200, 0)?;
    ensure!(orders(&set, "A-yours").await? == 0, "yours made no order");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_end_user_can_use_up_anothers_key() -> anyhow::Result<()> {
    let (set, gate) = gateway().await?;
    let mine = gate.with("x-account-id", "A-mine");
    let yours = gate.with("x-account-id", "A-yours");
    let first = mine.withdraw("the-key", &order(None)).await?;
    first.is(202, 0)?;
    let second = yours.withdraw("the-key", &order(None)).await?;
    second.is(202, 0)?;
    ensure!(
        first.body["data"] != second.body["data"],
        "one order for two users"
    );
    let again = mine.withdraw("the-key", &order(Some("A-mine"))).await?;
    ensure!(
        again.replayed && again.body["data"] == first.body["data"],
        "{}",
        again.body
    );
    let ours = mine.deposit("A-mine", "1.00", "n-1").await?;
    ours.is(202, 0)?;
    yours.deposit("A-yours", "2.00", "n-1").await?.is(202, 0)?;
    ensure!(available(&set, "A-yours").await? == "11.0000", "10 - 1 + 2");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_user_is_counted_whatever_the_body_says() -> anyhow::Result<()> {
    let (set, gate) = gateway().await?;
    let mine = gate.with("x-account-id", "A-mine");
    let with_user = |user: &str| {
        let mut body = order(None);
        body["userId"] = json!(user);
        body
    };
    mine.withdraw("k-1", &with_user("A-yours"))
        .await?
        .is(403, 40300)?;
    mine.withdraw("k-2", &with_user("u-9"))
        .await?
        .is(403, 40300)?;
    mine.withdraw("k-3", &with_user("A-mine"))
        .await?
        .is(202, 0)?;
    mine.withdraw("k-4", &order(None)).await?.is(202, 0)?;
    let refund = json!({ "amount": "1.00", "paymentNo": "p", "toAccountId": "t", "userId": "u-9" });
    let keyed = mine.with("idempotent-key", "k-5");
    keyed.post("/refund", &refund).await?.is(403, 40300)?;
    // A client that acts for itself is trusted with its users.
    let office = Upstream::of(&set, "office")?;
    let mut trusted = with_user("u-9");
    trusted["fromAccountId"] = json!("A-yours");
    office.withdraw("k-6", &trusted).await?.is(202, 0)?;
    let sql = format!(
        "SELECT GROUP_CONCAT(user_id ORDER BY user_id) FROM {}.orders",
        set.stage.schemas.orders
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let users: Option<String> =
        mysql_async::prelude::Queryable::query_first(&mut conn, sql).await?;
    ensure!(users.as_deref() == Some("A-mine,A-mine,u-9"), "{users:?}");
    Ok(())
}

/// Case 02: a core without configured clients, and a gateway on the same host.
#[tokio::test(flavor = "multi_thread")]
async fn the_header_counts_without_configured_clients_too() -> anyhow::Result<()> {
    let mut set = stage("").await?;
    start(&mut set, &[]).await?;
    let nameless = Upstream::nobody(&set)?;
    for account in ["A-mine", "A-yours"] {
        nameless
            .deposit(account, "10.00", account)
            .await?
            .is(202, 0)?;
    }
    let mine = nameless.with("x-account-id", "A-mine");
    mine.withdraw("k-1", &order(Some("A-yours")))
        .await?
        .is(403, 40300)?;
    let twice = mine.with("x-account-id", "A-yours");
    twice.withdraw("k-2", &order(None)).await?.is(400, 40001)?;
    mine.get("/accounts/A-yours").await?.is(404, 40402)?;
    ensure!(
        available(&set, "A-yours").await? == "10.0000",
        "A-yours paid"
    );
    nameless
        .withdraw("k-3", &order(Some("A-yours")))
        .await?
        .is(202, 0)
}
