//! A notification counts only with its signature.

use anyhow::ensure;
use serde_json::json;
use sluice_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use sluice_tests::{TestStage, options};

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_counts_only_with_its_signature() -> anyhow::Result<()> {
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    let body = json!({ "serialNo": "0".repeat(32), "code": "00S" });
    let post = |headers: Vec<(&'static str, String)>, channel: &str| {
        let (client, body, path) = (
            set.stage.client.clone(),
            body.clone(),
            format!("/withdraw/notify/{channel}"),
        );
        async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            client.post(&path, &body, &headers).await
        }
    };
    let now = (sluice_contract::clock::now_us() / 1_000_000).to_string();
    let wrong = vec![(TIMESTAMP_HEADER, now), (SIGNATURE_HEADER, "00".repeat(32))];
    ensure!(
        post(vec![], "unionpay").await?.1["code"] == 40101,
        "unsigned"
    );
    ensure!(
        post(wrong.clone(), "unionpay").await?.1["code"] == 40101,
        "wrongly signed"
    );
    ensure!(
        post(wrong, "pigeon").await?.1["code"] == 40401,
        "an unknown channel"
    );
    Ok(())
}
