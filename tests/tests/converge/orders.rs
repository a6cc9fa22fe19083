//! Orders and cases as the database holds them at the end.

use mysql_async::prelude::Queryable;
use sluice_drill::channels::BookedPayment;
use sluice_tests::TestStage;
use std::collections::HashMap;

pub(super) struct ConvergedOrder {
    pub(super) order_id: String,
    pub(super) serial_no: String,
    pub(super) state: String,
    pub(super) to_account: String,
    pub(super) sends: i64,
    pub(super) attempts: i64,
    pub(super) channel: Option<String>,
}

pub(super) async fn rows(set: &TestStage) -> anyhow::Result<Vec<ConvergedOrder>> {
    let sql = format!(
        "SELECT order_id,serial_no,state,to_account,sends,attempts,channel FROM {}.orders",
        set.stage.schemas.orders
    );
    type OrderColumns = (String, String, String, String, i64, i64, Option<String>);
    let rows: Vec<OrderColumns> = set.stage.pool.get_conn().await?.query(sql).await?;
    let make =
        |(order_id, serial_no, state, to_account, sends, attempts, channel)| ConvergedOrder {
            order_id,
            serial_no,
            state,
            to_account,
            sends,
            attempts,
            channel,
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

/// Tells whether the order's end is what the channels' books say: paid once over all of
/// them, by the channel that the order names.
pub(super) fn agrees(row: &ConvergedOrder, paid: &[&BookedPayment]) -> bool {
    let by = |p: &BookedPayment| row.channel.as_deref() == Some(p.channel.to_string().as_str());
    match (row.state.as_str(), paid) {
        ("success", [p]) => by(p) && p.to_account == row.to_account && !p.returned,
        ("returned", [p]) => by(p) && p.returned,
        ("failed", []) => true,
        _ => false,
    }
}
