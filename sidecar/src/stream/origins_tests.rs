use super::*;
use crate::stream::change::{ChangeOp, TableSchema};
use std::sync::Arc;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn row(table: &str, values: &[(&str, &str)]) -> Arc<RowChange> {
    let columns = values.iter().map(|(name, _)| (*name).to_owned()).collect();
    let image = values.iter().map(|(_, v)| ColumnValue::Text((*v).into()));
    Arc::new(RowChange {
        table: Arc::new(TableSchema::new(table, columns)),
        op: ChangeOp::Insert,
        before: None,
        after: Some(image.collect()),
    })
}

fn order(account: &str, id: &str, correlation: &str) -> Arc<RowChange> {
    row(
        "orders",
        &[
            ("account_id", account),
            ("order_id", id),
            ("correlation_id", correlation),
            ("traceparent", PARENT),
        ],
    )
}

fn transaction(changes: Vec<Arc<RowChange>>) -> ChangeTransaction {
    ChangeTransaction {
        position: "0-1-1".into(),
        changes,
    }
}

#[test]
fn an_item_names_its_order_among_many() {
    let of = transaction(vec![
        order("A", "o1", "c1"),
        order("A", "o2", "c2"),
        order("B", "o3", "c3"),
    ]);
    let found = |account: &str, item: &str| {
        origin_of(&of, account, item).map(|o| o.correlation.into_text())
    };
    assert_eq!(found("A", "o2").as_deref(), Some("c2"));
    assert_eq!(found("B", "balance").as_deref(), Some("c3"));
    assert_eq!(found("A", "balance"), None, "two requests of the account");
    assert_eq!(found("C", "x"), None);
    let parent = origin_of(&of, "A", "o1").unwrap().parent.unwrap();
    assert_eq!(parent.to_string(), PARENT);
}

#[test]
fn a_row_by_hand_can_not_bend_a_verdict() {
    let bad = |correlation: &str, events: &str| {
        let of = transaction(vec![
            order("A", "o1", correlation),
            row("outbox", &[("events", events)]),
        ]);
        origin_of(&of, "A", "o1")
    };
    assert_eq!(bad("a\nb", "[]"), None);
    assert_eq!(bad(&"x".repeat(65), "not JSON"), None);
    assert_eq!(bad("", r#"[{"id":1}]"#), None);
}
