//! One merchant's balance under everybody's requests: accepting for a single account,
//! as fast as it goes. Every request locks the same row.

use crate::load::request::Withdrawal;
use crate::load::{Closed, Until, closed};
use crate::stage::Stage;
use crate::stage::traffic::DEADLINE;
use crate::story::progress::Progress;
use anyhow::ensure;
use rust_decimal::Decimal;
use std::time::Duration;

const ACCOUNT: &str = "HOT";
const CONNECTIONS: usize = 256;
const TIME: Duration = Duration::from_secs(6);

/// Reserves per second on one account, over HTTP. The sidecar may be down: accepting
/// never depends on it.
pub async fn measure(stage: &Stage, progress: &Progress) -> anyhow::Result<u64> {
    progress.step("one hot account");
    stage
        .client
        .deposit(ACCOUNT, Decimal::from(1_000_000_000), "hot-money")
        .await?;
    let target = stage.target();
    let load = Closed {
        address: target.address.clone(),
        connections: CONNECTIONS,
        until: Until::Elapsed(TIME),
        deadline: DEADLINE,
    };
    let make = move |n: u64, out: &mut Vec<u8>| {
        let key = format!("hot-{n}");
        let withdrawal = Withdrawal {
            from_account: ACCOUNT,
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
