//! A refusal is of its own sending, and "no such trade" of the past.

use crate::late::{column, script, submit, times_paid};
use anyhow::ensure;
use sluice_drill::channels::ScriptedAction::{self, *};
use sluice_drill::channels::SimulatorKind;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

/// Longer than a channel's deadline.
const HOLD_MS: u64 = 1_100;

/// What happens to an order's two first requests, and how it ends: state, channel, and how
/// often it is paid.
type LateOrder = (
    &'static str,
    [ScriptedAction; 2],
    (&'static str, &'static str, usize),
);

fn late_orders() -> Vec<LateOrder> {
    let late = |ms| DeliverLate {
        ms,
        hold_ms: HOLD_MS,
    };
    let lost = TimeoutWithoutPaying { hold_ms: HOLD_MS };
    let refused = |not_here| RefuseAndForget { not_here };
    let paid_here = ("success", "netsunion", 1);
    vec![
        // Within the quiet time: it is asked for until it is there, and never sent again.
        ("soon.", [late(2_500), refused(false)], paid_here),
        ("soon-elsewhere.", [late(2_500), refused(true)], paid_here),
        // After a second sending that was refused, within the quiet time of that one.
        ("late.", [late(6_000), refused(false)], paid_here),
        ("late-elsewhere.", [late(6_000), refused(true)], paid_here),
        // The channel forgets both: what it said of the last one is the order's end.
        (
            "never.",
            [lost.clone(), refused(false)],
            ("failed", "netsunion", 0),
        ),
        (
            "never-elsewhere.",
            [lost, refused(true)],
            ("success", "unionpay", 1),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_request_is_paid_once_on_a_channel_that_forgets() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("late", 20).fund(&set.stage, 1_000).await?;
    let mut orders = Vec::new();
    for (n, (to, actions, end)) in late_orders().into_iter().enumerate() {
        script(&set, SimulatorKind::NetsUnion, to, &actions)?;
        let order = submit(&set, &format!("A{n:05}"), &format!("{to}payee")).await?;
        orders.push((to, order, end));
    }
    for (to, order, (state, channel, times)) in &orders {
        set.stage.wait_for_status(order, state).await?;
        ensure!(column(&set, order, "channel").await? == *channel, "{to}");
        ensure!(
            times_paid(&set, order) == *times,
            "{to} paid {} times",
            times_paid(&set, order)
        );
    }
    let (_, never, _) = &orders[4];
    let code = column(&set, never, "result_code").await?;
    ensure!(code == "1001", "it ends by what refused it, not by {code}");
    set.all_is_well().await
}
