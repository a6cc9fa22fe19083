//! Settlements and refunds never exceed the payment they belong to.

use crate::kinds::ask;
use anyhow::ensure;
use futures_util::future::join_all;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::client::StageClient;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

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
            body["toAccountId"] = json!(merchants.payer(payment));
        }
        let key = format!("race-{n}");
        async move { anyhow::Ok((payment, clear_answer(&client, path, &key, &body).await?)) }
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

/// Asks until it is clear whether the request was accepted.
async fn clear_answer(
    client: &StageClient,
    path: &str,
    key: &str,
    body: &Value,
) -> anyhow::Result<bool> {
    let begun = Instant::now();
    loop {
        match ask(client, path, key, body.clone()).await {
            Ok((202, _)) => return Ok(true),
            Ok((422, answer)) if answer["code"] == 42204 || answer["code"] == 42202 => {
                return Ok(false);
            }
            _ if begun.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            other => anyhow::bail!("{other:?}"),
        }
    }
}
