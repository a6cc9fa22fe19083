//! One merchant's balance under everybody's requests: accepting for a single account,
//! as fast as it goes. Every request locks the same row.

use crate::load::request::LoadWithdrawal;
use crate::load::{ClosedLoad, LoadEnd, closed};
use crate::output::progress::ProgressDisplay;
use crate::stage::DrillStage;
use crate::stage::traffic::REQUEST_TIMEOUT;
use anyhow::ensure;
use rust_decimal::Decimal;
use std::time::Duration;

const HOT_ACCOUNT: &str = "HOT";
const CONNECTION_COUNT: usize = 256;
const LOAD_TIME: Duration = Duration::from_secs(6);

/// Reserves per second on one account, over HTTP. The sidecar may be down: accepting
/// never depends on it.
pub async fn measure(stage: &DrillStage, progress: &ProgressDisplay) -> anyhow::Result<u64> {
    progress.step("one hot account");
    stage
        .client
        .deposit(HOT_ACCOUNT, Decimal::from(1_000_000_000), "hot-money")
        .await?;
    let target = stage.target();
    let load = ClosedLoad {
        address: target.address.clone(),
        connections: CONNECTION_COUNT,
        until: LoadEnd::Elapsed(LOAD_TIME),
        deadline: REQUEST_TIMEOUT,
    };
    let make = move |n: u64, out: &mut Vec<u8>| {
        let key = format!("hot-{n}");
        let withdrawal = LoadWithdrawal {
            from_account: HOT_ACCOUNT,
            to_account: "payee",
            amount: "0.01",
            currency: "CNY",
            user_id: "user-1",
            transaction_id: &key,
            biz_no: &key,
            channel: None,
        };
        target.submit(out, &withdrawal);
    };
    let report = closed(load, make, |_, _, _: &[u8]| {}).await?;
    ensure!(
        report.succeeded() == report.answered(),
        "the hot account was refused: {:?}",
        report.statuses
    );
    progress.done(&format!(
        "one hot account: {} reserves/s over HTTP",
        report.succeeded_per_second()
    ));
    Ok(report.succeeded_per_second())
}
