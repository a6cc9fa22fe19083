//! Kinds of an issuer's tokens: an access token moves money, an ID token of the same issuer
//! and audience does not; and the user whom a token names is the one who is counted.

use crate::access::issuer::{Issuer, IssuerPair};
use crate::access::tokens::{claims, settings, up, with};
use crate::access::{Upstream, stage, start};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_tests::TestStage;

async fn status(set: &TestStage, token: &str) -> anyhow::Result<u16> {
    let caller = Upstream::nobody(set)?.with("authorization", &format!("Bearer {token}"));
    Ok(caller.get("/accounts/A-1").await?.status)
}

/// The claims of an ID token beside those of `claims`.
fn id_token() -> Value {
    json!({ "sub": "u-7", "nonce": "n-0S6_WzA2Mj", "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng", "auth_time": 1 })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_is_no_access_token() -> anyhow::Result<()> {
    let issuer = Issuer::start().await?;
    let pair = IssuerPair::new("only")?;
    issuer.publish(&[&pair]);
    let set = up(&issuer).await?;
    for (kind, changes, expected) in [
        (Some("at+jwt"), json!({}), 200),
        (Some("application/at+jwt"), json!({}), 200),
        (Some("JWT"), json!({}), 401),
        (None, json!({}), 401),
        (Some("logout+jwt"), json!({}), 401),
        (Some("JWT"), id_token(), 401),
    ] {
        let token = pair.sign_as(kind, &with(changes.clone()))?;
        let found = status(&set, &token).await?;
        ensure!(found == expected, "{kind:?} {changes}: {found}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_without_types_is_believed_by_request_but_for_its_id_tokens() -> anyhow::Result<()>
{
    let issuer = Issuer::start().await?;
    let pair = IssuerPair::new("only")?;
    issuer.publish(&[&pair]);
    let mut set = stage(&format!("{}untyped_tokens = true\n", settings(&issuer))).await?;
    start(&mut set, &["desk"]).await?;
    let desk = Upstream::of(&set, "desk")?;
    desk.deposit("A-1", "10.00", "A-1").await?.is(202, 0)?;
    for (kind, changes, expected) in [
        (Some("JWT"), json!({}), 200),
        (None, json!({}), 200),
        (Some("at+jwt"), json!({}), 200),
        (Some("logout+jwt"), json!({}), 401),
        (Some("JWT"), id_token(), 401),
        (None, json!({ "nonce": "n" }), 401),
        (Some("JWT"), json!({ "aud": ["sluice", "app"] }), 401),
        (Some("JWT"), json!({ "token_use": "id" }), 401),
    ] {
        let token = pair.sign_as(kind, &with(changes.clone()))?;
        let found = status(&set, &token).await?;
        ensure!(found == expected, "{kind:?} {changes}: {found}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_the_token_is_the_one_who_is_counted() -> anyhow::Result<()> {
    let issuer = Issuer::start().await?;
    let pair = IssuerPair::new("only")?;
    issuer.publish(&[&pair]);
    let set = up(&issuer).await?;
    let order =
        |user: Option<&str>| json!({ "toAccountId": "p", "amount": "1.00", "userId": user });
    for (subject, named, counted) in [
        (Some("u-7"), None, Some("u-7")),
        (Some("u-7"), Some("u-7"), Some("u-7")),
        (Some("u-7"), Some("u-8"), None),
        (Some("u-7"), Some("A-1"), None),
        // Without a subject the account is the user.
        (None, None, Some("A-1")),
        (None, Some("u-7"), None),
        (Some(""), None, Some("A-1")),
        (Some("auth0|5f7c8ec7"), Some("u-7"), None),
    ] {
        let context = format!("{subject:?} {named:?}");
        let token = pair.sign(&with(json!({ "sub": subject })))?;
        let user = Upstream::nobody(&set)?.with("authorization", &format!("Bearer {token}"));
        let key = context.replace(['"', '(', ')', ' ', '|'], "_");
        let answer = user.withdraw(&key, &order(named)).await?;
        match counted {
            None => answer.is(403, 40300).context(context)?,
            Some(user) => {
                answer.is(202, 0).with_context(|| context.clone())?;
                let id = &answer.body["data"]["withdrawOrderId"];
                ensure!(user_of(&set, id).await? == user, "{context}");
            }
        }
    }
    ensure!(
        claims()["sub"].is_null(),
        "the claims name no user by themselves"
    );
    Ok(())
}

/// User of an order, as the table has it.
async fn user_of(set: &TestStage, order: &Value) -> anyhow::Result<String> {
    let id = order.as_str().context("no order")?;
    let sql = format!(
        "SELECT user_id FROM {}.orders WHERE order_id=?",
        set.stage.schemas.orders
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let found: Option<Option<String>> = conn.exec_first(sql, (id,)).await?;
    found.flatten().context("the order names no user")
}
