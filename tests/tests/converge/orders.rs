//! Orders and cases as the database holds them at the end.

use mysql_async::prelude::Queryable;
use sluice_drill::checks::CheckedPayment;
use sluice_tests::TestStage;
use std::collections::HashMap;

pub(super) struct ConvergedOrder {
    pub(super) order_id: String,
    pub(super) serial_no: String,
    pub(super) state: String,
    pub(super) to_account: String,
    pub(super) sends: i64,
}

pub(super) async fn rows(set: &TestStage) -> anyhow::Result<Vec<ConvergedOrder>> {
    let sql = format!(
        "SELECT order_id,serial_no,state,to_account,sends FROM {}.orders",
        set.stage.schemas.orders
    );
    let rows: Vec<(String, String, String, String, i64)> =
        set.stage.pool.get_conn().await?.query(sql).await?;
    let make = |(order_id, serial_no, state, to_account, sends)| ConvergedOrder {
        order_id,
        serial_no,
        state,
        to_account,
        sends,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// Open cases by order, in words.
pub(super) async fn open_cases(set: &TestStage) -> anyhow::Result<HashMap<String, Vec<String>>> {
    let sql = format!(
        "SELECT order_id,CONCAT(kind,': ',detail) FROM {}.cases WHERE state='open'",
        set.stage.schemas.orders
    );
    let rows: Vec<(String, String)> = set.stage.pool.get_conn().await?.query(sql).await?;
    let mut cases: HashMap<String, Vec<String>> = HashMap::new();
    for (order, kind) in rows {
        cases.entry(order).or_default().push(kind);
    }
    Ok(cases)
}

/// Whether the order's end is what the channel's book says.
pub(super) fn agrees(row: &ConvergedOrder, paid: Option<&CheckedPayment>) -> bool {
    match (row.state.as_str(), paid) {
        ("success", Some(p)) => p.to_account == row.to_account && !p.returned,
        ("returned", Some(p)) => p.returned,
        ("failed", None) => true,
        _ => false,
    }
}
