//! An account's entries by cursor, and its statement: complete, in order, exact to the
//! cent, also while money moves.

mod closing;
mod entries;
mod statements;

use anyhow::ensure;
use rust_decimal::Decimal;
use sluice_drill::load::request::LoadWithdrawal;
use sluice_drill::load::{ClosedLoad, LoadEnd, closed};
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// A core alone: what it books is all there is.
async fn core_alone() -> anyhow::Result<TestStage> {
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    Ok(set)
}

async fn withdraw(set: &TestStage, run: &'static str, count: u64) -> anyhow::Result<()> {
    let target = set.stage.target();
    let load = ClosedLoad {
        address: target.address.clone(),
        connections: 16,
        until: LoadEnd::Count(count),
        deadline: Duration::from_secs(15),
    };
    let make = move |n: u64, out: &mut Vec<u8>| {
        let key = format!("{run}-{n}");
        let withdrawal = LoadWithdrawal {
            from_account: "A-1",
            to_account: "payee",
            amount: "0.10",
            currency: "CNY",
            user_id: "u",
            transaction_id: &key,
            biz_no: &key,
            channel: None,
        };
        target.submit(out, &withdrawal);
    };
    let report = closed(load, make, |_, _, _: &[u8]| {}).await?;
    ensure!(report.succeeded() == count, "{report}");
    Ok(())
}

fn amount(text: &str) -> anyhow::Result<Decimal> {
    if text.is_empty() {
        Ok(Decimal::ZERO)
    } else {
        Ok(Decimal::from_str_exact(text)?)
    }
}
