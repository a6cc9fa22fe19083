//! Every route of the table with every grant, at one's own and at another's object.

use crate::access::{Answer, Upstream, available, client, orders, stage, start};
use anyhow::{Context, ensure};
use serde_json::json;
use sluice_core::access::routes::{ROUTES, RouteAccess, RouteRule};
use sluice_core::config::Grant;

/// The path with an object in it.
fn path_of(rule: &RouteRule, order: &str, account: &str) -> String {
    let object = if rule.path.starts_with("/accounts") {
        account
    } else {
        order
    };
    rule.path
        .replace("{id}", object)
        .replace("{channel}", "unionpay")
}

/// Calls a route with a body that is right for it.
async fn call(
    by: &Upstream,
    rule: &RouteRule,
    order: &str,
    account: &str,
) -> anyhow::Result<Answer> {
    let key = format!("{}-{}", rule.path.len(), rand::random::<u64>());
    let body = match rule.path {
        "/withdraw" | "/withdraw/submit" if rule.method == "POST" => {
            json!({ "fromAccountId": account, "toAccountId": "payee", "amount": "0.01", "transactionId": key })
        }
        "/deposit" => json!({ "accountId": account, "amount": "0.01", "bizNo": key }),
        "/settlement" => json!({ "accountId": account, "amount": "0.01" }),
        "/refund" => {
            json!({ "accountId": account, "amount": "0.01", "paymentNo": "p-1", "toAccountId": "payer" })
        }
        _ => json!({}),
    };
    let body = if rule.method == "GET" {
        String::new()
    } else {
        body.to_string()
    };
    by.with("idempotent-key", &key)
        .send(rule.method, &path_of(rule, order, account), &body)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_needs_its_grant_and_shows_nobody_elses_object() -> anyhow::Result<()> {
    let names = Grant::ALL.map(|g| format!("may-{}", g.as_str()));
    let all = r#"may = ["withdraw", "settle", "refund", "deposit", "read", "cancel"]"#;
    let mut tables = client("all", &format!("{all}\naccounts = [\"A-*\"]"));
    tables += &client("other", &format!("{all}\naccounts = [\"B-1\"]"));
    tables += &client("default", "accounts = [\"A-1\"]");
    for (name, grant) in names.iter().zip(Grant::ALL) {
        tables += &client(
            name,
            &format!("may = [\"{}\"]\naccounts = [\"A-1\"]", grant.as_str()),
        );
    }
    let mut set = stage(&tables).await?;
    let mut known: Vec<&str> = names.iter().map(String::as_str).collect();
    known.extend(["all", "other", "default"]);
    start(&mut set, &known).await?;
    let owner = Upstream::of(&set, "all")?;
    owner.deposit("A-1", "100.00", "fund").await?.is(202, 0)?;
    let order = json!({ "fromAccountId": "A-1", "toAccountId": "payee", "amount": "1.00" });
    let made = owner.withdraw("own", &order).await?;
    let order = made.body["data"]["withdrawOrderId"]
        .as_str()
        .context("no order")?
        .to_owned();

    for rule in &ROUTES {
        let place = format!("{} {}", rule.method, rule.path);
        let answer = call(&owner, rule, &order, "A-1").await?;
        ensure!(
            answer.body["code"] != 40403,
            "{place} is not mounted: {}",
            answer.body
        );
        let nobody = call(&Upstream::nobody(&set)?, rule, &order, "A-1").await?;
        ensure!(
            nobody.status == 401,
            "{place} by nobody: {} {}",
            nobody.status,
            nobody.body
        );
        let RouteAccess::Granted(needed) = rule.access else {
            continue;
        };
        ensure!(
            ![401, 403].contains(&answer.status),
            "{place}: {}",
            answer.body
        );
        for (name, grant) in names.iter().zip(Grant::ALL) {
            let answer = call(&Upstream::of(&set, name)?, rule, &order, "A-1").await?;
            ensure!(
                (answer.status == 403) == (grant != needed) && answer.status != 401,
                "{place} by {name}: {} {}",
                answer.status,
                answer.body
            );
        }
        let granted = [Grant::Withdraw, Grant::Read, Grant::Cancel].contains(&needed);
        let answer = call(&Upstream::of(&set, "default")?, rule, &order, "A-1").await?;
        ensure!(
            (answer.status != 403) == granted,
            "{place} by default: {}",
            answer.body
        );
    }
    others_objects_do_not_exist(&set, &order).await
}

/// A client with every grant, for other accounts.
async fn others_objects_do_not_exist(
    set: &sluice_tests::TestStage,
    order: &str,
) -> anyhow::Result<()> {
    let (stranger, owner) = (Upstream::of(set, "other")?, Upstream::of(set, "all")?);
    let before = (available(set, "A-1").await?, orders(set, "A-1").await?);
    for rule in &ROUTES {
        let RouteAccess::Granted(_) = rule.access else {
            continue;
        };
        let place = format!("{} {}", rule.method, rule.path);
        let answer = call(&stranger, rule, order, "A-1").await?;
        let wanted = match (rule.path.contains("{id}"), rule.method) {
            (true, _) => 404,
            (false, "POST") => 403,
            (false, _) => 200,
        };
        ensure!(
            answer.status == wanted,
            "{place}: {} {}",
            answer.status,
            answer.body
        );
        // As if it had never been: the same words as for what is not there.
        if rule.path.contains("{id}") {
            let nothing = call(&stranger, rule, &"0".repeat(32), "nowhere").await?;
            ensure!(
                nothing.body == answer.body,
                "{place}: {} {}",
                nothing.body,
                answer.body
            );
        }
    }
    let after = (available(set, "A-1").await?, orders(set, "A-1").await?);
    ensure!(before == after, "{before:?} {after:?}");
    let serial = order.to_ascii_uppercase();
    for query in ["key=own", &format!("serialNo={serial}"), "limit=500"] {
        let found = stranger.get(&format!("/withdraw?{query}")).await?;
        ensure!(
            found.body["data"]["orders"] == json!([]),
            "{query}: {}",
            found.body
        );
    }
    let found = owner.get("/withdraw?key=own").await?;
    ensure!(
        found.body["data"]["orders"][0]["withdrawOrderId"] == order,
        "{}",
        found.body
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_without_a_line_in_the_table_is_not_served() -> anyhow::Result<()> {
    let mut set = stage("").await?;
    start(&mut set, &[]).await?;
    let nameless = Upstream::nobody(&set)?;
    for (method, path) in [
        ("DELETE", "/withdraw"),
        ("PUT", "/accounts/A-1"),
        ("POST", "/accounts/A-1"),
        ("GET", "/deposit"),
        ("OPTIONS", "/withdraw"),
        ("GET", "/"),
        ("GET", "/withdraw/"),
        ("GET", "//withdraw"),
    ] {
        let answer = nameless.send(method, path, "").await?;
        answer
            .is(404, 40403)
            .with_context(|| format!("{method} {path}"))?;
    }
    Ok(())
}
