//! One fault of each kind of loss, through the same code as the demo: found by a
//! rule, stopped at the narrowest breaker, nothing leaves, and a person resets.

mod losses;
mod reload;
mod resume;

use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_drill::faults::signed;
use sluice_tests::TestStage;

/// The faults' accounts by number, so that each has a verdict of its own.
async fn by_hand(set: &TestStage, n: u32) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    let account = format!("A{n:05}");
    signed::adjust(
        &mut conn,
        &set.stage.schemas,
        None,
        &account,
        Decimal::ONE,
        &format!("by-hand-{n}"),
    )
    .await
}

async fn verdicts_of(set: &TestStage, rule: &str) -> anyhow::Result<Vec<(String, u32)>> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT account_id,COUNT(*) FROM {}.verdict WHERE rule=? GROUP BY account_id ORDER BY account_id",
        set.stage.schemas.guard
    );
    Ok(conn.exec(sql, (rule,)).await?)
}
