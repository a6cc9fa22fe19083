//! Kills of cores and of each server lose and double nothing.

use crate::split_books::ready;
use anyhow::{Context, ensure};
use sluice_drill::load::request::LoadTarget;
use sluice_drill::load::{self, LoadReport, OpenLoad};
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::traffic::{REQUEST_TIMEOUT, Traffic};
use sluice_drill::stage::{StageOptions, StagePorts};
use sluice_tests::{TestStage, bad_day, options, seed};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_cores_and_of_each_server_lose_and_double_nothing() -> anyhow::Result<()> {
    let mut set = TestStage::up(StageOptions {
        split_books: true,
        sims: bad_day(seed()),
        ..options()
    })
    .await?;
    let (one, other) = (Traffic::new("one", 50), Traffic::new("other", 50));
    one.fund(&set.stage, 10_000).await?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let mut core = set.stage.core.take().context("core")?;
    let mut orders = set.stage.mariadb.take().context("server")?;
    let mut split_books = set.stage.split_books.take().context("split_books")?;
    let (rate, time) = (80, Duration::from_secs(12));
    other.tell(&set.stage, rate * time.as_secs() + 1).await?;
    let address = ports.address(ports.core);
    let beside = load_on(&address, other.clone(), rate, time);
    let (load_one, load_other, killed) =
        tokio::join!(one.open(&set.stage, rate, time), beside, async {
            let pause = || tokio::time::sleep(Duration::from_millis(1_200));
            pause().await;
            core.kill9()?;
            core.restart()?;
            pause().await;
            split_books.balance.kill9()?;
            split_books.balance.restart().await?;
            pause().await;
            second.kill9()?;
            split_books.ledger.kill9()?;
            second.restart()?;
            split_books.ledger.restart().await?;
            pause().await;
            orders.kill9()?;
            core.kill9()?;
            orders.restart().await?;
            core.restart()?;
            anyhow::Ok(())
        });
    let (load_one, load_other) = (load_one?, load_other?);
    killed?;
    ensure!(
        load_one.succeeded() + load_other.succeeded() > 200,
        "hardly any order was accepted"
    );
    set.stage.split_books = Some(split_books);
    set.stage.mariadb = Some(orders);
    for (process, admin) in [
        (&mut core, set.stage.ports.core_admin),
        (&mut second, ports.core_admin),
    ] {
        process
            .wait_ready(&set.stage.ports.address(admin), Duration::from_secs(40))
            .await?;
    }
    set.stage.core = Some(core);
    ready(&set, true).await?;
    everybody_asks_again(&set, [&one, &other], rate * time.as_secs()).await?;
    drop(second);
    Ok(())
}

async fn everybody_asks_again(
    set: &TestStage,
    traffics: [&Traffic; 2],
    asked: u64,
) -> anyhow::Result<()> {
    // Everybody who got no answer asks again, as upstreams do: same key, same order.
    for traffic in traffics {
        let again = traffic
            .open(&set.stage, 160, Duration::from_secs(asked / 160))
            .await?;
        ensure!(
            again.succeeded() == again.answered(),
            "repeats were refused: {:?}",
            again.statuses
        );
    }
    set.all_is_well().await?;
    let counts = sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &[]).await?;
    ensure!(
        counts.total() == 2 * asked,
        "{} orders for {} keys",
        counts.total(),
        2 * asked
    );
    Ok(())
}

/// The load of one core by its address.
async fn load_on(
    core: &str,
    traffic: Traffic,
    rate: u64,
    time: Duration,
) -> anyhow::Result<LoadReport> {
    let target = LoadTarget::new(core);
    let load = OpenLoad {
        address: target.address.clone(),
        rate,
        duration: time,
        connections: 64,
        deadline: REQUEST_TIMEOUT,
    };
    load::open(
        load,
        move |n, out: &mut Vec<u8>| traffic.request(&target, n, out),
        |_, _, _: &[u8]| {},
    )
    .await
}
