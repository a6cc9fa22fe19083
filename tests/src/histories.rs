//! Histories of orders: without a gap, and ending where the order is.

use crate::TestStage;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use std::collections::BTreeMap;

/// Order id, version and state, as the order's own row has them.
type OrderAtVersion = (String, i64, String);
/// Version, state before and state after, as the history has them; none of an order
/// that never moved.
type CheckedMove = (Option<i64>, Option<String>, Option<String>);

impl TestStage {
    /// Each version of each order has its row, each row begins where the one before it
    /// ended, and the last is where the order is now.
    pub async fn histories_have_no_gap(&self) -> anyhow::Result<()> {
        // One statement, so that both are as of one moment.
        let sql = format!(
            "SELECT o.order_id,o.version,o.state,m.version,m.from_state,m.to_state FROM {0}.orders o \
             LEFT JOIN {0}.order_transition m USING (account_id,order_id) ORDER BY o.order_id,m.version",
            self.stage.schemas.orders
        );
        let rows: Vec<(String, i64, String, _, _, _)> =
            self.stage.pool.get_conn().await?.query(sql).await?;
        let mut orders: BTreeMap<OrderAtVersion, Vec<CheckedMove>> = BTreeMap::new();
        for (order, version, state, to_version, from, to) in rows {
            orders
                .entry((order, version, state))
                .or_default()
                .push((to_version, from, to));
        }
        for ((order, version, state), moves) in orders {
            let (last, at) = replay(&order, &state, moves)?;
            ensure!(
                (last, at.as_str()) == (version, state.as_str()),
                "{order} is {state} at {version}, its history ends at {:?}",
                (last, at)
            );
        }
        Ok(())
    }
}

/// The version and state in which a history ends; an error where it has a gap.
fn replay(order: &str, state: &str, moves: Vec<CheckedMove>) -> anyhow::Result<(i64, String)> {
    let mut at = None;
    for (to_version, from, to) in moves {
        let (Some(to_version), Some(from), Some(to)) = (to_version, from, to) else {
            continue;
        };
        ensure!(at.is_some() || begins(&from), "{order} began as {from}");
        let (was, before) = at.unwrap_or((1, from.clone()));
        ensure!(
            to_version == was + 1,
            "{order} has no row between {was} and {to_version}"
        );
        ensure!(
            from == before,
            "{order} was {before} at {was} and left {from} at {to_version}"
        );
        at = Some((to_version, to));
    }
    ensure!(
        at.is_some() || begins(state),
        "{order} is {state} and has no history"
    );
    Ok(at.unwrap_or((1, state.to_owned())))
}

/// Whether an order may begin so: in `booking` while the books are split.
fn begins(state: &str) -> bool {
    ["init", "booking"].contains(&state)
}
