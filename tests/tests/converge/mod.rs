//! The long run: orders through channels that time out, lie, delay, duplicate, reorder,
//! give back, forget what they refused and get requests late, while one core is killed ten
//! times and another frozen three times. Every order ends; what the channels paid is what
//! the books say; nobody has to touch anything but the orders that a channel lied about,
//! and each of those is a case.

mod lies;
mod orders;
mod play;

use crate::converge::lies::{QUIET_MS, is_lied_to, worst_day};
use crate::converge::orders::{agrees, open_cases, rows};
use crate::converge::play::{play, traffics};
use anyhow::{Context, ensure};
use sluice_drill::channels::BookedPayment;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options, seed};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

/// Orders of a run in `make test`; `make converge` plays ten thousand.
const DEFAULT_ORDER_COUNT: u64 = 600;
const ORDER_COUNT_VARIABLE: &str = "SLUICE_CONVERGE_ORDERS";

/// Number of orders, a multiple of fifty: both cores get as many each second.
fn order_count() -> anyhow::Result<u64> {
    let count = match std::env::var(ORDER_COUNT_VARIABLE) {
        Ok(text) => text.parse().context(ORDER_COUNT_VARIABLE)?,
        Err(_) => DEFAULT_ORDER_COUNT,
    };
    ensure!(
        count >= 50 && count % 50 == 0,
        "{ORDER_COUNT_VARIABLE} must be a multiple of 50"
    );
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn orders_end_though_everything_fails() -> anyhow::Result<()> {
    let (seed, count) = (seed(), order_count()?);
    println!("seed: {seed} (set SLUICE_SEED to play it again)");
    let mut set = TestStage::up(StageOptions {
        sims: worst_day(seed),
        each_channel: format!("deadline_ms = 1000\nsend_within_ms = 2000\nquiet_ms = {QUIET_MS}"),
        ..options()
    })
    .await?;
    traffics().0.fund(&set.stage, 1_000_000).await?;
    let begun = Instant::now();
    play(&mut set, count, seed).await?;
    println!("ended after {:?}", begun.elapsed());

    let (rows, cases, book) = (
        rows(&set).await?,
        open_cases(&set).await?,
        set.stage.sims.book(),
    );
    ensure!(
        rows.len() as u64 == count,
        "{} orders for {count} keys",
        rows.len()
    );
    let mut paid = HashMap::<&str, Vec<&BookedPayment>>::new();
    for payment in &book {
        paid.entry(&payment.serial_no).or_default().push(payment);
    }
    let (mut states, mut sent_again) = (BTreeMap::<&str, u32>::new(), 0);
    let mut switched = 0;
    for row in &rows {
        *states.entry(&row.state).or_default() += 1;
        sent_again += u32::from(row.sends > 1);
        switched += u64::from(row.attempts > 1);
        let case = cases.get(&row.order_id);
        let lied = is_lied_to(&row.to_account);
        ensure!(
            case.is_none() || lied,
            "{} is a case without a lie: {case:?}",
            row.order_id
        );
        let payments = paid.remove(row.serial_no.as_str()).unwrap_or_default();
        let once = payments.len() <= 1;
        ensure!(
            once && (agrees(row, &payments) || case.is_some()),
            "{} is {} at {:?}, the books say {payments:?}",
            row.order_id,
            row.state,
            row.channel
        );
    }
    ensure!(paid.is_empty(), "payments of nobody's: {paid:?}");
    let contradicted = cases
        .values()
        .filter(|kinds| kinds.iter().any(|k| k.starts_with("contradiction")))
        .count();
    println!(
        "{states:?}, {sent_again} sent again, {switched} switched, {} cases, {contradicted} contradicted",
        cases.len()
    );
    was_a_bad_day(count, contradicted as u64, sent_again.into(), switched)?;
    set.histories_have_no_gap().await?;

    no_false_alarm(&set, &cases).await
}

/// Enough went wrong for the run to prove something.
fn was_a_bad_day(
    count: u64,
    contradicted: u64,
    sent_again: u64,
    switched: u64,
) -> anyhow::Result<()> {
    ensure!(
        contradicted > count / 50,
        "hardly any lie was noticed: {contradicted}"
    );
    ensure!(
        sent_again > count / 200,
        "hardly any order was sent again: {sent_again}"
    );
    ensure!(
        switched > count / 300,
        "hardly any order went on to another channel: {switched}"
    );
    Ok(())
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
