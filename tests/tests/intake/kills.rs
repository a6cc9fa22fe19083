//! A kill between booking and offset loses and doubles nothing.

use crate::intake::books;
use anyhow::ensure;
use rust_decimal::Decimal;
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_booking_and_offset_nothing_is_lost_or_booked_twice() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    let first = MerchantTraffic::new("kill", 5);
    first.pay(&set.stage, 50).await?;
    let mut core = set.stage.core.take().expect("the stage has a core");
    let second = MerchantTraffic::new("dead", 5);
    for n in 0..100 {
        set.stage.events.queue(&second.event(n)).await?;
        if n == 50 {
            tokio::time::sleep(Duration::from_millis(30)).await;
            core.kill9()?;
        }
    }
    core.restart()?;
    second.wait_for(&set.stage, 100).await?;

    // The database dies: the events wait, however long it takes.
    let mut server = set.stage.mariadb.take().expect("the stage has a server");
    server.kill9()?;
    let third = MerchantTraffic::new("down", 5);
    for n in 0..20 {
        set.stage.events.queue(&third.event(n)).await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.restart().await?;
    third.wait_for(&set.stage, 20).await?;

    // A core that knows of no committed offset is told everything again: what a crash
    // before every one of the commits would come to.
    set.stage
        .options
        .core_extra
        .push_str("\nintake.group = \"again\"");
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let _other = set.stage.spawn_core("core-2", ports).await?;
    all_come_again(ports).await?;
    for n in 0..5 {
        let (captured, held) = books(&set, &first.account(n)).await?;
        ensure!(
            captured == Decimal::from(100 * 34) && held == captured,
            "{n}: {captured}, {held}"
        );
    }
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    // That payments were late while nobody could book them is told, and stops nobody.
    let late = |verdict: &String| verdict.starts_with("payment_is_booked ");
    let others: Vec<String> = set
        .verdicts()
        .await?
        .into_iter()
        .filter(|v| !late(v))
        .collect();
    ensure!(others.is_empty(), "{others:?}");
    set.stage.mariadb = Some(server);
    // It leaves in time, also if Kafka can't hear its farewell.
    set.stage
        .kafka
        .as_ref()
        .expect("the stage has Kafka")
        .go_down()?;
    core.terminate(Duration::from_secs(15)).await.map(drop)
}

/// Waits until a core has been told everything again, and has booked none of it.
async fn all_come_again(ports: StagePorts) -> anyhow::Result<()> {
    let mine = ports.address(ports.core_admin);
    let begun = Instant::now();
    loop {
        let (_, body) = sluice_drill::load::http::get(&mine, "/metrics").await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if text.contains("sluice_core_intake_events_total{result=\"repeated\"} 170") {
            ensure!(!text.contains("result=\"booked\""), "booked twice: {text}");
            break;
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "the events did not come again"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
