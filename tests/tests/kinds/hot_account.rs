//! Many orders of one account pay exactly what it has.

use crate::kinds::holds;
use anyhow::ensure;
use rust_decimal::Decimal;
use sluice_drill::load::request::LoadWithdrawal;
use sluice_drill::load::{ClosedLoad, LoadEnd, closed};
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_tests::{TestStage, options};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_account_pays_exactly_what_it_has() -> anyhow::Result<()> {
    const ORDER_COUNT: u64 = 700;
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    set.stage
        .client
        .deposit("HOT", Decimal::new(ORDER_COUNT as i64 * 7, 2), "hot")
        .await?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let _second = set.stage.spawn_core("core-2", ports).await?;
    let load = |name: &'static str, address: String| {
        let target = sluice_drill::load::request::LoadTarget::new(&address);
        let load = ClosedLoad {
            address,
            connections: 32,
            until: LoadEnd::Count(ORDER_COUNT),
            deadline: Duration::from_secs(20),
        };
        let make = move |n: u64, out: &mut Vec<u8>| {
            let key = format!("{name}-{n}");
            let withdrawal = LoadWithdrawal {
                from_account: "HOT",
                to_account: "payee",
                amount: "0.07",
                currency: "CNY",
                user_id: "u",
                transaction_id: &key,
                biz_no: &key,
                channel: None,
            };
            target.submit(out, &withdrawal);
        };
        closed(load, make, |_, _, _: &[u8]| {})
    };
    let first = set.stage.ports.address(set.stage.ports.core);
    let (one, two) = tokio::join!(load("one", first), load("two", ports.address(ports.core)));
    let (one, two) = (one?, two?);
    ensure!(one.unanswered + two.unanswered == 0, "{one} {two}");
    ensure!(
        one.succeeded() + two.succeeded() == ORDER_COUNT,
        "{} and {} were accepted",
        one.succeeded(),
        two.succeeded()
    );
    let refused = |r: &sluice_drill::load::LoadReport| r.statuses.get(&422).copied().unwrap_or(0);
    ensure!(
        refused(&one) + refused(&two) == ORDER_COUNT,
        "{:?} {:?}",
        one.statuses,
        two.statuses
    );
    ensure!(
        holds(&set, "HOT", "CNY", "available").await? == "0",
        "something is left"
    );
    ensure!(
        holds(&set, "HOT", "CNY", "reserved").await? == "49",
        "reserved is off"
    );
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    Ok(())
}
