//! Inputs for tests: rows, transactions, events, watermarks.

use crate::rules::text::tables::CATALOG_TABLES;
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, ReceivedEvent, RowChange, RuleInput, SourceKind,
    TableSchema,
};
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

pub fn text(text: &str) -> ColumnValue {
    ColumnValue::Text(text.into())
}

pub fn money(amount: &str) -> ColumnValue {
    ColumnValue::Dec(amount.parse().unwrap())
}

/// An inserted row with these columns; the others are NULL.
pub fn insert(table: &str, values: &[(&str, ColumnValue)]) -> RowChange {
    let known = CATALOG_TABLES.iter().find(|t| t.name == table).unwrap();
    let columns: Vec<String> = known.columns.iter().map(|(c, _)| (*c).to_owned()).collect();
    let value = |column: &String| {
        values
            .iter()
            .find(|(c, _)| c == column)
            .map_or(ColumnValue::Null, |(_, v)| v.clone())
    };
    let after = columns.iter().map(value).collect();
    RowChange {
        table: Arc::new(TableSchema::new(table, columns)),
        op: ChangeOp::Insert,
        before: None,
        after: Some(after),
    }
}

pub fn balance(account: &str, balance: &str, available: &str) -> RowChange {
    let values = [
        ("balance", money(balance)),
        ("available", money(available)),
        ("reserved", money("0")),
    ];
    let ids = [
        ("account_id", text(account)),
        ("currency", text("CNY")),
        ("version", ColumnValue::Int(1)),
    ];
    insert("balance", &[values.as_slice(), ids.as_slice()].concat())
}

pub fn deposit(account: &str, payment: &str, amount: &str) -> RowChange {
    let words = [
        ("kind", "deposit"),
        ("book", "available"),
        ("side", "C"),
        ("currency", "CNY"),
    ];
    let mut values: Vec<(&str, ColumnValue)> = words.iter().map(|(c, v)| (*c, text(v))).collect();
    values.extend([
        ("account_id", text(account)),
        ("ref", text(payment)),
        ("amount", money(amount)),
        ("line", ColumnValue::Int(1)),
    ]);
    values.push(("posting_id", text(&format!("pay-{payment}"))));
    insert("entry", &values)
}

pub fn transaction(position: &str, changes: Vec<RowChange>) -> RuleInput {
    let changes = changes.into_iter().map(Arc::new).collect();
    RuleInput::Transaction(Arc::new(ChangeTransaction {
        position: position.into(),
        changes,
    }))
}

pub fn payment(id: &str, offset: u32, account: &str, biz_no: &str, amount: &str) -> RuleInput {
    let body = BusinessEvent {
        id: id.to_owned(),
        kind: "deposit.received".to_owned(),
        account_id: account.to_owned(),
        biz_no: biz_no.to_owned(),
        amount: amount.parse().unwrap(),
        currency: "CNY".to_owned(),
        occurred_us: 1,
        payer_account_id: None,
        client: None,
    };
    RuleInput::Event(Arc::new(ReceivedEvent {
        position: format!("business.payment/0/{offset}").into(),
        body,
    }))
}

pub fn at(source: SourceKind, ms: i64) -> RuleInput {
    RuleInput::Watermark {
        source,
        at_us: ms * 1_000,
    }
}

pub fn update(before: RowChange, after: RowChange) -> RowChange {
    RowChange {
        op: ChangeOp::Update,
        before: before.after,
        ..after
    }
}
