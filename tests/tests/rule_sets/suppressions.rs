//! A suppressed finding stops nobody, up to its cap.

use crate::rule_sets::{done, numbers};
use anyhow::ensure;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED};
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

/// A shipped rule's finding up to the cap, and one beyond it.
pub(super) async fn what_is_suppressed_stops_nobody(set: &TestStage) -> anyhow::Result<()> {
    let (account, rule) = ("RULES2", "deposit_is_booked");
    let cap = [
        "suppress",
        rule,
        account,
        "--amount-cap",
        "100.00",
        "--for",
        "2h",
        "--reason",
        "a late batch",
    ];
    done(set, "ann", &cap).await?;
    for (turn, open) in [(1, 0), (2, 1)] {
        let id = format!("never-booked-{turn}");
        let event = BusinessEvent {
            id: id.clone(),
            kind: DEPOSIT_RECEIVED.into(),
            account_id: account.into(),
            biz_no: id,
            amount: Decimal::from(60),
            currency: "CNY".into(),
            occurred_us: now_us(),
            payer_account_id: None,
            client: None,
        };
        set.stage.events.queue(&event).await?;
        set.stage.events.flush(Duration::from_secs(10)).await?;
        let begun = Instant::now();
        let found = format!(
            "SELECT COUNT(*) FROM guard.verdict WHERE rule='{rule}' AND account_id='{account}'"
        );
        while numbers(set, &found).await? != [turn] {
            ensure!(
                begun.elapsed() < Duration::from_secs(30),
                "{:?}",
                set.verdicts().await?
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let stopped = format!(
            "SELECT COUNT(DISTINCT scope_key) FROM guard.breaker WHERE scope_key='{account}'"
        );
        ensure!(
            numbers(set, &stopped).await? == [open],
            "turn {turn}: {:?}",
            set.verdicts().await?
        );
    }
    let all = done(set, "ann", &["suppressions"]).await?;
    ensure!(all.contains("60.0000 of 100.0000"), "{all}");
    Ok(())
}
