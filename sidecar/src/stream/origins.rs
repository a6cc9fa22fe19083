//! Origins of what a transaction tells of: the requests that its order rows and its outbox
//! events name. For people and traces; no rule decides by them.

use crate::stream::change::{ChangeTransaction, ColumnValue, RowChange};
use sluice_contract::event::OrderEvent;
use sluice_contract::traces::{CorrelationId, TraceParent};

/// Origin of one order's change, or of money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeOrigin {
    pub account_id: String,
    pub order_id: String,
    pub correlation: CorrelationId,
    pub parent: Option<TraceParent>,
}

/// Reads the events of a transaction's outbox row. What can't be read holds none: whether
/// it may be so is a rule's question.
pub fn events(transaction: &ChangeTransaction) -> Vec<OrderEvent> {
    let outbox = rows(transaction, "outbox").filter_map(|row| text(row, "events"));
    outbox
        .filter_map(|events| serde_json::from_str::<Vec<OrderEvent>>(events).ok())
        .flatten()
        .collect()
}

/// Names the origin of what was found about an account's item; `None` if several requests
/// of the account are in the transaction and the item names none of them.
pub fn origin_of(
    transaction: &ChangeTransaction,
    account: &str,
    item: &str,
) -> Option<ChangeOrigin> {
    let mut all = origins(transaction);
    all.retain(|origin| origin.account_id == account || item.contains(&origin.order_id));
    if let Some(named) = all.iter().position(|o| item.contains(&o.order_id)) {
        return Some(all.swap_remove(named));
    }
    all.dedup_by(|a, b| a.correlation == b.correlation);
    (all.len() == 1).then(|| all.swap_remove(0))
}

fn origins(transaction: &ChangeTransaction) -> Vec<ChangeOrigin> {
    let of_rows = rows(transaction, "orders").filter_map(of_order);
    let of_events = events(transaction).into_iter().filter_map(of_event);
    of_rows.chain(of_events).collect()
}

fn of_order(row: &RowChange) -> Option<ChangeOrigin> {
    Some(ChangeOrigin {
        account_id: text(row, "account_id")?.to_owned(),
        order_id: text(row, "order_id")?.to_owned(),
        correlation: CorrelationId::given(text(row, "correlation_id")?)?,
        parent: text(row, "traceparent").and_then(TraceParent::parse),
    })
}

fn of_event(event: OrderEvent) -> Option<ChangeOrigin> {
    Some(ChangeOrigin {
        correlation: CorrelationId::given(event.correlation_id.as_deref()?)?,
        parent: event.traceparent.as_deref().and_then(TraceParent::parse),
        account_id: event.account_id,
        // Without an id every item would name it.
        order_id: Some(event.order_id).filter(|id| !id.is_empty())?,
    })
}

fn rows<'t>(
    transaction: &'t ChangeTransaction,
    table: &'static str,
) -> impl Iterator<Item = &'t RowChange> {
    let changes = transaction.changes.iter().map(|change| &**change);
    changes.filter(move |change| change.table.name == table)
}

fn text<'r>(row: &'r RowChange, column: &str) -> Option<&'r str> {
    let at = row.table.column(column)?;
    match row.after.as_ref().or(row.before.as_ref())?.get(at)? {
        ColumnValue::Text(text) => Some(text),
        ColumnValue::Null | ColumnValue::Int(_) | ColumnValue::Dec(_) | ColumnValue::Opaque => None,
    }
}

#[cfg(test)]
#[path = "origins_tests.rs"]
mod tests;
