//! One key for a request, and an amount that is text or a number.

use crate::identity::{accepting, body, fund, order, reserved, withdraw};
use anyhow::ensure;
use serde_json::json;

const SPELLINGS: [&str; 5] = [
    "0191f7c6-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
    "0191F7C6-A1B2-7C3D-8E4F-5A6B7C8D9E0F",
    "0191f7c6a1b27c3d8e4f5a6b7c8d9e0f",
    "{0191f7c6-a1b2-7c3d-8e4f-5a6b7c8d9e0f}",
    "urn:uuid:0191f7c6-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_key_for_a_request_however_it_is_sent_and_spelt() -> anyhow::Result<()> {
    let set = accepting().await?;
    fund(&set, "K", "1000.00").await?;
    let (client, body) = (&set.stage.client, body("K", "10.00", json!({})));
    let two_keys = [
        [("idempotent-key", "gateway"), ("Idempotency-Key", "client")],
        [("idempotent-key", "gateway"), ("idempotent-key", "client")],
        [
            ("Idempotency-Key", "gateway"),
            ("Idempotency-Key", "client"),
        ],
    ];
    for headers in &two_keys {
        let (status, answer) = client.post("/withdraw", &body, headers).await?;
        ensure!(status == 400, "{headers:?}: {status} {answer}");
    }
    ensure!(reserved(&set, "K").await? == "0");
    let same = [("idempotent-key", "client"), ("Idempotency-Key", "client")];
    let (status, answer) = client.post("/withdraw", &body, &same).await?;
    ensure!(status == 202, "{answer}");

    let first = order(client, SPELLINGS[0], &body).await?;
    for spelling in SPELLINGS {
        ensure!(order(client, spelling, &body).await? == first, "{spelling}");
        let query = spelling.replace('{', "%7B").replace('}', "%7D");
        let (status, found) = client.get(&format!("/withdraw?key={query}")).await?;
        ensure!(
            status == 200 && found.to_string().contains(&first),
            "{spelling}: {status} {found}"
        );
    }
    ensure!(reserved(&set, "K").await? == "20");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_is_text_or_a_number_and_nothing_else() -> anyhow::Result<()> {
    let set = accepting().await?;
    fund(&set, "K", "1000.00").await?;
    let client = &set.stage.client;
    let mut ask = body("K", "10.00", json!({}));
    for amount in [
        json!({ "$serde_json::private::Number": "5.00" }),
        json!({ "$serde_json::private::RawValue": "5.00" }),
        json!(["5.00"]),
        json!(true),
    ] {
        ask["amount"] = amount;
        let (status, answer) = withdraw(client, "k", &ask).await?;
        ensure!(status == 400 && answer["code"] == 40002, "{ask}: {answer}");
    }
    ensure!(reserved(&set, "K").await? == "0");
    for (key, amount) in [
        ("text", json!("5.00")),
        ("number", serde_json::from_str("5.00")?),
    ] {
        ask["amount"] = amount;
        order(client, key, &ask).await?;
    }
    ensure!(reserved(&set, "K").await? == "10");
    Ok(())
}
