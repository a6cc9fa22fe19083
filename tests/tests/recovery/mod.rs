//! The four stages of recovery, each to its bound and past it, as upstreams and
//! operators see them: over the API, `sluice orders`, and the cases.

mod altered_ends;
mod lookup;
mod quarantine;
mod stages;
mod unsealed;

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::channels::SimulatorKind;
use sluice_drill::setup::process::binary;
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// Order `n`: from an account of its own, to a payee of its own.
pub(crate) async fn submit(
    set: &TestStage,
    run: &str,
    n: u64,
    kind: SimulatorKind,
) -> anyhow::Result<String> {
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

pub(crate) async fn wait_for_case(
    set: &TestStage,
    order: &str,
    wanted: &str,
) -> anyhow::Result<()> {
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

/// The text that `sluice orders …` prints.
async fn sluice_orders(set: &TestStage, words: &[&str]) -> anyhow::Result<String> {
    let ran = tokio::process::Command::new(binary("sluice")?)
        .arg("orders")
        .args(words)
        .arg("--config")
        .arg(set.stage.dir.join("operator.toml"))
        .output()
        .await?;
    let text =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "sluice orders {words:?}: {text}");
    Ok(text)
}
