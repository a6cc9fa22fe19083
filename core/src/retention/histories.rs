//! Histories of old orders. No index leads from a history to its age, so orders are paged
//! through by their ids, which are ordered by time. The place is kept in the database; once
//! a week a turn begins at the start again, for orders that ended late.

use crate::retention::repo;
use crate::retention::rounds::PurgedBatch;
use sluice_contract::clock::now_us;
use sluice_contract::sql::Conn;

/// Keys in `retention_cursor`: the place, and when the turn began.
const CURSOR_NAME: &str = "order_transition";
const TURN_NAME: &str = "order_transition.turn";
const TURN_US: i64 = 7 * 86_400_000_000;
/// Orders looked at at a time.
const MAX_ORDERS_PER_BATCH: usize = 200;

/// Deletes the histories of one page of orders that ended before `before_us`.
pub(super) async fn batch(conn: &mut Conn, before_us: i64) -> anyhow::Result<PurgedBatch> {
    let after = repo::cursor(conn, CURSOR_NAME).await?;
    let until = first_id_at(before_us);
    let page = repo::orders_page(conn, &after, &until, MAX_ORDERS_PER_BATCH).await?;
    let ended: Vec<(&str, &str)> = page
        .iter()
        .filter(|o| o.ended && o.updated_us < before_us)
        .map(|o| (o.account_id.as_str(), o.order_id.as_str()))
        .collect();
    let deleted = repo::purge_transitions(conn, &ended).await?;
    let is_last = page.len() < MAX_ORDERS_PER_BATCH;
    let place = page.last().map_or(after.as_str(), |o| o.order_id.as_str());
    repo::set_cursor(conn, CURSOR_NAME, place).await?;
    if is_last {
        begin_again_if_due(conn).await?;
    }
    Ok(PurgedBatch { deleted, is_last })
}

async fn begin_again_if_due(conn: &mut Conn) -> anyhow::Result<()> {
    let (now, begun) = (now_us(), repo::cursor(conn, TURN_NAME).await?);
    if now - begun.parse().unwrap_or(0) > TURN_US {
        repo::set_cursor(conn, TURN_NAME, &now.to_string()).await?;
        repo::set_cursor(conn, CURSOR_NAME, "").await?;
    }
    Ok(())
}

/// The least order id that could have been made at that time: ids begin with the
/// milliseconds since 1970 in twelve hex digits (UUIDv7).
fn first_id_at(at_us: i64) -> String {
    format!("{:012x}", at_us.max(0) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::first_id_at;
    use sluice_contract::clock::now_us;
    use sluice_contract::ids::new_order_id;

    #[test]
    fn ids_made_now_lie_between_a_second_ago_and_a_second_ahead() {
        let (before, id) = (first_id_at(now_us() - 1_000_000), new_order_id("A-1"));
        assert!(
            before < id && id < first_id_at(now_us() + 1_000_000),
            "{id}"
        );
    }
}
