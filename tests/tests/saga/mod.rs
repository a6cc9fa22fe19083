//! A crash between any two steps of a booking, made on purpose: the saga's own
//! functions take the first steps, then nobody goes on until a real core starts.

mod altered;
mod books;
mod closing;
mod crash;
mod forged;
mod hand;
mod interleaved;
mod postings;
mod wrong_rows;

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options, tail};
use std::time::{Duration, Instant};

fn quiet() -> StageOptions {
    StageOptions {
        split_books: true,
        fence: false,
        dispatch: false,
        ..options()
    }
}

/// Waits until every booking is made.
async fn settled(set: &TestStage) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut conn = set.stage.pool.get_conn().await?;
    loop {
        let sql = format!(
            "SELECT COUNT(*) FROM {}.booking_intent",
            set.stage.schemas.orders
        );
        let open: u64 = conn.query_first(sql).await?.unwrap_or(0);
        if open == 0 {
            break;
        }
        let log = || tail(&set.stage.dir.join("core.log"));
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "{open} bookings stay open: {}",
            log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let held = set.stage.invariants().await?;
    ensure!(
        held.ledger_balanced && held.balances_match_ledger,
        "{:?}",
        held.problems
    );
    Ok(())
}
