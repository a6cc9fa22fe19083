//! Payments that Kafka tells are booked onto the merchants' intermediate accounts,
//! each once: doubled, redelivered, malformed, contradicting, and with the core or the
//! database dying in between.

mod events;
mod held;
mod kills;
mod quarantine;
mod signed;

use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_tests::TestStage;

/// Captured by the merchant in all, and what its intermediate account holds.
async fn books(set: &TestStage, account: &str) -> anyhow::Result<(Decimal, Decimal)> {
    let mut conn = set.stage.pool.get_conn().await?;
    let schema = &set.stage.schemas.balance;
    let captured =
        format!("SELECT IFNULL(SUM(captured),0) FROM {schema}.capture WHERE account_id=?");
    let held =
        format!("SELECT IFNULL(SUM(intermediate),0) FROM {schema}.balance WHERE account_id=?");
    let captured: Option<Decimal> = conn.exec_first(captured, (account,)).await?;
    let held: Option<Decimal> = conn.exec_first(held, (account,)).await?;
    Ok((captured.unwrap_or_default(), held.unwrap_or_default()))
}
