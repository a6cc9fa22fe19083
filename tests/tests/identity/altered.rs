//! Seals: an order whose row was changed beside the core, even
//! where no binlog shows it, is neither sent nor asked about, and stops its account.

use crate::identity::change_unseen;
use crate::recovery::{WAIT_TIMEOUT, submit, wait_for_case};
use anyhow::{Context, ensure};
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

/// A change that names a key that nobody configured: nobody is accused, nothing is sent.
const UNKNOWN_KEY: &str = "request_mac=CONCAT('1.00000000.',REPEAT('0',32))";

/// Changes that somebody may make to an order that waits to be sent.
const CHANGES: [&str; 8] = [
    "to_account='thief'",
    "amount=amount*100",
    "currency='USD'",
    "serial_no=REVERSE(serial_no)",
    "client='somebody'",
    "request_mac=NULL",
    UNKNOWN_KEY,
    "trade_time='20260101000000'",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_for_an_order_that_was_changed_past_the_binlog() -> anyhow::Result<()> {
    let mut set = TestStage::up(StageOptions {
        dispatch: false,
        ..options()
    })
    .await?;
    Traffic::new("altered", 20).fund(&set.stage, 10_000).await?;
    let mut waiting = Vec::new();
    for n in 0..CHANGES.len() as u64 + 2 {
        waiting.push(submit(&set, "seal", n, SimulatorKind::UnionPay).await?);
    }
    let orders = set.stage.schemas.orders.clone();
    for (order, change) in waiting.iter().zip(CHANGES) {
        let update = format!("UPDATE {orders}.orders SET {change} WHERE order_id='{order}'");
        ensure!(change_unseen(&set, &update).await? == 1, "{change}");
    }
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    drop(core);
    set.stage.options.dispatch = true;
    set.stage.start_core().await?;

    let (altered, honest) = waiting.split_at(CHANGES.len());
    for order in honest {
        set.stage.wait_for_status(order, "success").await?;
    }
    for (order, change) in altered.iter().zip(CHANGES) {
        let kind = match change {
            UNKNOWN_KEY => "unknown_key open -",
            _ => "altered open -",
        };
        wait_for_case(&set, order, kind).await?;
    }
    set.everything_is_evaluated().await?;
    let (found, book) = (set.verdicts().await?, set.stage.book());
    for (n, order) in altered.iter().enumerate() {
        if CHANGES[n] == UNKNOWN_KEY {
            continue;
        }
        let verdict = format!("order_altered A{n:05} {order}");
        ensure!(
            found.iter().any(|v| v.starts_with(&verdict)),
            "{n}: {found:?}"
        );
    }
    ensure!(book.len() == honest.len(), "{book:?}");
    ensure!(
        book.iter()
            .all(|p| honest.iter().any(|o| serial_no(o) == p.serial_no))
    );
    // Nothing but these orders is suspected.
    ensure!(found.len() == altered.len() - 1, "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_about_an_order_whose_sending_was_changed() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("asked", 20).fund(&set.stage, 1_000).await?;
    let silent = ScriptedAction::TimeoutAfterPaying { hold_ms: 1_400 };
    set.stage
        .sims
        .add_script(SimulatorKind::NetsUnion, ActionScript::new("doubt", silent))?;
    let orders = set.stage.schemas.orders.clone();
    // The last one makes it look as if it had never been sent: a new order has a seal too.
    let changes = [
        ("trade_time='20260101000000'", "altered open -"),
        ("channel='unionpay'", "altered open -"),
        ("send_mac=NULL", "altered open -"),
        ("amount=amount+1", "altered open -"),
        (
            "state='init',due_us=1,attempts=0,trade_time=NULL,channel=NULL,send_mac=NULL",
            "altered open -",
        ),
    ];
    let mut changed = Vec::new();
    for (n, (change, case)) in changes.into_iter().enumerate() {
        let order = submit(&set, "doubt", n as u64, SimulatorKind::NetsUnion).await?;
        let begun = Instant::now();
        while set.stage.client.order(&order).await?["tradeTime"].is_null() {
            ensure!(begun.elapsed() < WAIT_TIMEOUT, "never sent");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let update = format!("UPDATE {orders}.orders SET {change} WHERE order_id='{order}'");
        ensure!(change_unseen(&set, &update).await? == 1, "{change}");
        wait_for_case(&set, &order, case).await.context(change)?;
        changed.push((order, change));
    }
    let paid = |order: &str| {
        let serial = serial_no(order);
        set.stage
            .book()
            .iter()
            .filter(|p| p.serial_no == serial)
            .count()
    };
    for (order, change) in &changed {
        ensure!(paid(order) == 1, "{change}: paid {} times", paid(order));
    }
    Ok(())
}
