//! Orders in flight without seals: there by the thousand when a roll-out forgot to say until
//! when, and here and there where somebody took a seal away.

use mysql_async::prelude::Queryable;
use sluice_contract::order::OrderState;

/// Orders looked at in each state, those due first ahead: the oldest are among them. A
/// forgotten roll-out shows in any sample, and a start must not read a backlog.
const MAX_LOOKED_AT_PER_STATE: usize = 500;

/// Orders in flight that were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnsealedOrders {
    pub looked_at: u64,
    /// Number of these without a seal over what was asked, or over how far they are.
    pub unsealed: u64,
    /// Id of one without a seal.
    pub example: Option<String>,
}

/// Looks at a sample of the orders in flight, by an index.
///
/// # Errors
/// The database's.
pub async fn sample_of_unsealed(conn: &mut impl Queryable) -> anyhow::Result<UnsealedOrders> {
    let of_state = |state: OrderState| {
        format!(
            "(SELECT order_id, request_mac IS NULL OR send_mac IS NULL AS is_unsealed FROM orders FORCE INDEX (by_state) \
             WHERE state='{}' AND due_us > 0 ORDER BY due_us, order_id LIMIT {MAX_LOOKED_AT_PER_STATE})",
            state.as_str()
        )
    };
    let in_flight = OrderState::ALL.into_iter().filter(|s| !s.is_end());
    let all: Vec<String> = in_flight.map(of_state).collect();
    let rows: Vec<(String, bool)> = conn.query(all.join(" UNION ALL ")).await?;
    let mut found = UnsealedOrders {
        looked_at: rows.len() as u64,
        ..UnsealedOrders::default()
    };
    for (order_id, _) in rows.into_iter().filter(|(_, is_unsealed)| *is_unsealed) {
        found.unsealed += 1;
        found.example.get_or_insert(order_id);
    }
    Ok(found)
}
