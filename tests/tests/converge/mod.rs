//! The long run: ten thousand orders through channels that time out, lie, delay,
//! duplicate, reorder and give back, while the core is killed ten times. Every order
//! ends; what the channels paid is what the books say; nobody has to touch anything
//! but the orders that a channel lied about, and each of those is a case.

mod lies;
mod orders;

use crate::converge::lies::{is_lied_to, worst_day};
use crate::converge::orders::{agrees, open_cases, rows};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_drill::checks::CheckedPayment;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, seed, tail};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

const ORDER_COUNT: u64 = 10_000;

const ORDERS_PER_S: u64 = 400;

const KILL_COUNT: u32 = 10;

/// Upper bound of the wait after the last order was submitted.
const CONVERGENCE_TIMEOUT: Duration = Duration::from_secs(240);

/// Submits everything while the core is killed again and again, at moments drawn
/// from the seed; who got no answer asks again with the same key.
async fn play(set: &mut TestStage, traffic: &Traffic, seed: u64) -> anyhow::Result<()> {
    let mut core = set.stage.core.take().context("the stage has a core")?;
    let mut rng = StdRng::seed_from_u64(seed);
    let time = Duration::from_secs(ORDER_COUNT / ORDERS_PER_S);
    let (report, killed) = tokio::join!(traffic.open(&set.stage, ORDERS_PER_S, time), async {
        for _ in 0..KILL_COUNT {
            tokio::time::sleep(Duration::from_millis(rng.random_range(1_200..3_200))).await;
            core.kill9()?;
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
            core.restart()?;
        }
        anyhow::Ok(())
    });
    killed?;
    let first = report?;
    core.wait_ready(
        &set.stage.ports.address(set.stage.ports.core_admin),
        Duration::from_secs(60),
    )
    .await?;
    let again = traffic
        .open(&set.stage, 1_000, Duration::from_secs(ORDER_COUNT / 1_000))
        .await?;
    ensure!(
        again.succeeded() == ORDER_COUNT,
        "repeats were refused: {:?} (first {:?})",
        again.statuses,
        first.statuses
    );
    set.stage.core = Some(core);
    Ok(())
}

async fn wait_for_ends(set: &TestStage) -> anyhow::Result<()> {
    let begun = Instant::now();
    let sql = format!(
        "SELECT COUNT(*) FROM {}.orders WHERE state IN ('init','dispatching','processing','in_doubt')",
        set.stage.schemas.orders
    );
    loop {
        let left: u64 = set
            .stage
            .pool
            .get_conn()
            .await?
            .query_first(&sql)
            .await?
            .unwrap_or(0);
        // A channel's callbacks may still be on their way: contradictions among them.
        if left == 0 && set.stage.sims.callbacks().0 == 0 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < CONVERGENCE_TIMEOUT,
            "{left} orders have not ended: {}",
            tail(&set.stage.dir.join("core.log"))
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn ten_thousand_orders_end_though_everything_fails() -> anyhow::Result<()> {
    let seed = seed();
    println!("seed: {seed} (set SLUICE_SEED to play it again)");
    let mut set = TestStage::up(StageOptions {
        sims: worst_day(seed),
        ..options()
    })
    .await?;
    let traffic = Traffic::new("converge", 100);
    traffic.fund(&set.stage, 1_000_000).await?;
    let begun = Instant::now();
    play(&mut set, &traffic, seed).await?;
    println!("submitted after {:?}", begun.elapsed());
    wait_for_ends(&set).await?;
    println!("ended after {:?}", begun.elapsed());

    let (rows, cases, book) = (rows(&set).await?, open_cases(&set).await?, set.stage.book());
    ensure!(
        rows.len() as u64 == ORDER_COUNT,
        "{} orders for {ORDER_COUNT} keys",
        rows.len()
    );
    let paid: HashMap<&str, &CheckedPayment> =
        book.iter().map(|p| (p.serial_no.as_str(), p)).collect();
    let (mut states, mut sent_again) = (BTreeMap::<&str, u32>::new(), 0);
    for row in &rows {
        *states.entry(&row.state).or_default() += 1;
        sent_again += u32::from(row.sends > 1);
        let case = cases.get(&row.order_id);
        let lied = is_lied_to(&row.to_account);
        ensure!(
            case.is_none() || lied,
            "{} is a case without a lie: {case:?}",
            row.order_id
        );
        let fits = agrees(row, paid.get(row.serial_no.as_str()).copied());
        ensure!(
            fits || case.is_some(),
            "{} is {}, its book says {:?}",
            row.order_id,
            row.state,
            paid.get(row.serial_no.as_str())
        );
    }
    let contradicted = cases
        .values()
        .filter(|kinds| kinds.iter().any(|k| k.starts_with("contradiction")))
        .count();
    println!(
        "{states:?}, {sent_again} sent again, {} cases, {contradicted} contradicted",
        cases.len()
    );
    ensure!(
        contradicted > 200,
        "hardly any lie was noticed: {contradicted}"
    );
    ensure!(
        sent_again > 50,
        "hardly any order was sent again: {sent_again}"
    );
    set.histories_have_no_gap().await?;

    no_false_alarm(&set, &cases).await
}

/// The books agree, and every verdict is about an order that became a case.
async fn no_false_alarm(
    set: &TestStage,
    cases: &HashMap<String, Vec<String>>,
) -> anyhow::Result<()> {
    let held = set.stage.invariants().await?;
    let books = held.paid_at_most_once && held.ledger_balanced && held.balances_match_ledger;
    ensure!(books, "invariants are broken: {:?}", held.problems);
    set.everything_is_evaluated().await?;
    let known: HashSet<&String> = cases.keys().collect();
    for verdict in set.verdicts().await? {
        ensure!(
            known.iter().any(|order| verdict.contains(order.as_str())),
            "a false alarm: {verdict}"
        );
    }
    Ok(())
}
