//! Books other than the orders' own are refused.

use crate::saga::quiet;
use anyhow::{Context, ensure};
use sluice_core::schema::{DatabaseUrls, migrate};
use sluice_tests::TestStage;

#[tokio::test(flavor = "multi_thread")]
async fn books_other_than_the_orders_own_are_refused() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(quiet()).await?;
    set.stage.start_core().await?;
    drop(set.stage.core.take());
    let split_books = set
        .stage
        .split_books
        .as_ref()
        .context("servers of their own")?;
    let (orders, balance, ledger) = (
        set.stage.url.clone(),
        split_books.balance.url(),
        split_books.ledger.url(),
    );
    let swapped = DatabaseUrls {
        orders: orders.clone(),
        balance: ledger.clone(),
        ledger: ledger.clone(),
    };
    let known = DatabaseUrls {
        orders: orders.clone(),
        balance,
        ledger,
    };
    for (servers, setting) in [
        (swapped, "balance.url"),
        (DatabaseUrls::together(&orders), "mysql.url"),
    ] {
        let refused = migrate(&servers, &set.stage.schemas)
            .await
            .err()
            .map(|e| format!("{e:#}"))
            .unwrap_or_default();
        ensure!(
            refused.starts_with(setting) && refused.contains("were booked in"),
            "{setting}: {refused}"
        );
    }
    migrate(&known, &set.stage.schemas).await
}
