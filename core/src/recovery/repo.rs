//! SQL of recovery on `orders`: which are due, by channel and by stage, and how many
//! there are. Everything is read from an index and bounded by a page; orders are
//! read in full only once they are locked.

use crate::orders::OrderRef;
use crate::recovery::due_cursor::{DueCursor, DueOrder};
use mysql_async::prelude::Queryable;
use sluice_contract::order::OrderState;
use sluice_contract::sql::{in_list, pair_list};

const END_STATES: [OrderState; 3] = [
    OrderState::Success,
    OrderState::Failed,
    OrderState::Returned,
];

/// Due time of a manual order as an earlier version wrote it, which did not ask any more.
pub const NEVER_DUE_US: i64 = i64::MAX;

/// Channels that any order ever had: a handful, read by skipping through the index.
pub async fn channels(conn: &mut impl Queryable) -> anyhow::Result<Vec<String>> {
    Ok(conn
        .query("SELECT DISTINCT channel FROM orders WHERE channel IS NOT NULL")
        .await?)
}

/// A page of due orders that is asked for.
pub(super) struct DuePage<'a> {
    /// Now, µs since 1970 UTC.
    pub now_us: i64,
    pub cursor: &'a DueCursor,
    /// Orders that are left out.
    pub quarantined: &'a [String],
    pub max_orders: usize,
}

/// Orders of one channel in these states that are due, behind the cursor, those due first
/// ahead.
pub(super) async fn due_of(
    conn: &mut impl Queryable,
    channel: &str,
    states: &[OrderState],
    page: DuePage<'_>,
) -> anyhow::Result<Vec<DueOrder>> {
    due_in(conn, DueIndex::ByChannel(channel), states, page).await
}

/// Ended orders whose upstream has to be told again, behind the cursor.
pub(super) async fn due_ack_overdue(
    conn: &mut impl Queryable,
    page: DuePage<'_>,
) -> anyhow::Result<Vec<DueOrder>> {
    due_in(conn, DueIndex::ByState, &END_STATES, page).await
}

async fn due_in(
    conn: &mut impl Queryable,
    index: DueIndex<'_>,
    states: &[OrderState],
    page: DuePage<'_>,
) -> anyhow::Result<Vec<DueOrder>> {
    let DuePage {
        now_us, max_orders, ..
    } = page;
    let (scope, address) = index.sql();
    let (without, behind) = (page.without(), page.behind(index));
    // One range of the index per state, each with its own bound: over several states
    // at once the server would read all that are due to sort them.
    let of_state = |state: &OrderState, due: String| {
        format!(
            "(SELECT due_us,account_id,order_id FROM orders {scope} state='{}' AND due_us {due} {behind} {without} \
             ORDER BY due_us,{address} LIMIT {max_orders})",
            state.as_str()
        )
    };
    let mut all: Vec<String> = states
        .iter()
        .map(|s| of_state(s, format!("<= {now_us}")))
        .collect();
    if states.contains(&OrderState::Manual) {
        all.push(of_state(&OrderState::Manual, format!("= {NEVER_DUE_US}")));
    }
    let sql = format!(
        "{} ORDER BY due_us,{address} LIMIT {max_orders}",
        all.join(" UNION ALL ")
    );
    let rows: Vec<(i64, String, String)> = conn.query(sql).await?;
    Ok(rows
        .into_iter()
        .map(|(due_us, account, order)| DueOrder {
            due_us,
            at: OrderRef::new(&account, &order),
        })
        .collect())
}

impl DuePage<'_> {
    fn without(&self) -> String {
        match self.quarantined {
            [] => String::new(),
            ids => format!(
                "AND order_id NOT IN {}",
                in_list(ids.iter().map(String::as_str))
            ),
        }
    }

    /// Condition that leads behind the cursor.
    fn behind(&self, index: DueIndex<'_>) -> String {
        let Some(DueOrder { due_us, at }) = self.cursor.after() else {
            return String::new();
        };
        let (_, address) = index.sql();
        let last = match index {
            DueIndex::ByChannel(_) => {
                in_list([at.account_id.as_str(), at.order_id.as_str()].into_iter())
            }
            DueIndex::ByState => in_list([at.order_id.as_str()].into_iter()),
        };
        format!("AND due_us >= {due_us} AND (due_us > {due_us} OR ({address}) > {last})")
    }
}

/// Index that due orders are read from.
#[derive(Clone, Copy)]
enum DueIndex<'a> {
    ByChannel(&'a str),
    ByState,
}

impl DueIndex<'_> {
    /// The condition up to the state, and the columns behind the due time, which the index
    /// has in this order: nothing is sorted.
    fn sql(self) -> (String, &'static str) {
        match self {
            DueIndex::ByChannel(channel) => {
                let channel = in_list([channel].into_iter());
                let scope = format!("FORCE INDEX (by_channel) WHERE channel IN {channel} AND");
                (scope, "account_id,order_id")
            }
            DueIndex::ByState => ("FORCE INDEX (by_state) WHERE".to_owned(), "order_id"),
        }
    }
}

/// One page of the orders that wait to be sent, after a cursor of due time and id.
pub async fn waiting(
    conn: &mut impl Queryable,
    state: OrderState,
    after: &(i64, String),
    most: usize,
) -> anyhow::Result<Vec<(i64, OrderRef)>> {
    let sql = format!(
        "SELECT due_us,account_id,order_id FROM orders FORCE INDEX (by_state) WHERE state='{}' AND due_us >= ? \
         AND (due_us > ? OR order_id > ?) ORDER BY due_us, order_id LIMIT {most}",
        state.as_str()
    );
    let rows: Vec<(i64, String, String)> = conn.exec(sql, (after.0, after.0, &after.1)).await?;
    Ok(rows
        .into_iter()
        .map(|(due, account, order)| (due, OrderRef::new(&account, &order)))
        .collect())
}

/// Lists those of these that have waited since before `before_us` without a case.
pub async fn overdue(
    conn: &mut impl Queryable,
    page: &[OrderRef],
    before_us: i64,
) -> anyhow::Result<Vec<OrderRef>> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT account_id,order_id FROM orders FORCE INDEX (PRIMARY) WHERE (account_id,order_id) IN {} \
         AND IFNULL(waiting_since_us,created_us) < {before_us} AND has_open_case=0",
        pair_list(
            page.iter()
                .map(|o| (o.account_id.as_str(), o.order_id.as_str()))
        )
    );
    let rows: Vec<(String, String)> = conn.query(sql).await?;
    Ok(rows
        .into_iter()
        .map(|(account, order)| OrderRef::new(&account, &order))
        .collect())
}

/// Counts ended orders that still have to be acknowledged: how many, when the oldest was
/// notified, and when the first was due.
pub async fn ack_overdue(
    conn: &mut impl Queryable,
) -> anyhow::Result<(i64, Option<i64>, Option<i64>)> {
    let sql = format!(
        "SELECT COUNT(*), MIN(notified_us), MIN(due_us) FROM orders FORCE INDEX (by_state) WHERE state IN {} AND due_us > 0",
        in_list(END_STATES.iter().map(|s| s.as_str()))
    );
    Ok(conn.query_first(sql).await?.unwrap_or((0, None, None)))
}
