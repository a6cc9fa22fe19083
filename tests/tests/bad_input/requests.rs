//! Bad requests are refused by name, and nothing is written.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_tests::{TestStage, options};

/// Body, status, code, and what the message must name.
const BAD_REQUESTS: &[(&str, u16, u32, &str)] = &[
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"0"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"-1"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":-0.01}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1.001"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":0.1000000000000000055511151231257827}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"99999999999999999.99"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"NaN"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":NaN}"#,
        400,
        40000,
        "body",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1e3"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":1e3}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":true}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1.5","currency":"JPY"}"#,
        400,
        40002,
        "amount",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1","currency":"XXX"}"#,
        400,
        40003,
        "currency",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1","currency":"USD"}"#,
        422,
        42201,
        "currency",
    ),
    (
        r#"{"fromAccountId":"nobody","toAccountId":"p","amount":"1"}"#,
        422,
        42201,
        "fromAccountId",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"100.01"}"#,
        422,
        42202,
        "amount",
    ),
    (
        r#"{"toAccountId":"p","amount":"1"}"#,
        400,
        40001,
        "fromAccountId",
    ),
    (
        r#"{"fromAccountId":"G","amount":"1"}"#,
        400,
        40001,
        "toAccountId",
    ),
    (
        r#"{"fromAccountId":"G'; DROP","toAccountId":"p","amount":"1"}"#,
        400,
        40001,
        "fromAccountId",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1","channel":"pigeon"}"#,
        400,
        40001,
        "channel",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1","amuont":"2"}"#,
        400,
        40001,
        "amuont",
    ),
    (
        r#"{"fromAccountId":"G","toAccountId":"p","amount":"1""#,
        400,
        40000,
        "body",
    ),
    ("", 400, 40000, "body"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_by_name_and_nothing_is_written() -> anyhow::Result<()> {
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    let deposit = json!({ "accountId": "G", "amount": "100.00", "bizNo": "pay-G" });
    ensure!(set.stage.client.post("/deposit", &deposit, &[]).await?.0 == 202);
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", set.stage.ports.url(set.stage.ports.core));
    let post = |body: String, key: Option<&str>| {
        let mut request = http.post(url("/withdraw")).body(body);
        if let Some(key) = key {
            request = request.header("idempotent-key", key);
        }
        async move {
            let reply = request.send().await?;
            anyhow::Ok((
                reply.status().as_u16(),
                serde_json::from_str::<serde_json::Value>(&reply.text().await?)?,
            ))
        }
    };
    for (body, status, code, names) in BAD_REQUESTS {
        let (got, answer) = post((*body).to_owned(), Some("kept-key")).await?;
        let msg = answer["msg"].as_str().unwrap_or_default();
        ensure!(
            got == *status && answer["code"] == *code && msg.contains(names),
            "{body}: {got} {answer}"
        );
    }
    let good = r#"{"fromAccountId":"G","toAccountId":"p","amount":"1"}"#.to_owned();
    ensure!(
        post(good.clone(), None).await?.1["code"] == 40004,
        "a missing key"
    );
    ensure!(
        post(good.clone(), Some(&"k".repeat(65))).await?.1["code"] == 40005,
        "an over-long key"
    );
    let huge = format!(
        r#"{{"fromAccountId":"G","toAccountId":"{}"}}"#,
        "x".repeat(20_000)
    );
    ensure!(
        post(huge, Some("kept-key")).await?.1["code"] == 41300,
        "a huge body"
    );

    let mut conn = set.stage.pool.get_conn().await?;
    for table in ["orders", "idempotency"] {
        let sql = format!(
            "SELECT COUNT(*) FROM {}.{table} WHERE account_id='G'",
            set.stage.schemas.orders
        );
        let count: Option<u64> = conn.query_first(sql).await?;
        ensure!(
            count == Some(u64::from(table == "idempotency")),
            "{table} holds {count:?}"
        );
    }
    let (status, answer) = post(good, Some("kept-key")).await?;
    ensure!(status == 202, "the key was burnt: {answer}");
    Ok(())
}
