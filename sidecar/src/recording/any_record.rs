//! Any record that a recording may hold.

use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, ReceivedEvent, RowChange, RowImage, RuleInput,
    SourceKind, TableSchema,
};
use proptest::prelude::*;
use rust_decimal::Decimal;
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

fn a_value() -> impl Strategy<Value = ColumnValue> {
    let decimal = (any::<i64>(), any::<i32>(), 0..=28_u32, any::<bool>()).prop_map(
        |(low, high, scale, negative)| {
            let mantissa = i128::from(high.unsigned_abs()) << 64 | i128::from(low.cast_unsigned());
            let mut number = Decimal::try_from_i128_with_scale(mantissa, scale).unwrap_or_default();
            number.set_sign_negative(negative);
            number
        },
    );
    prop_oneof![
        Just(ColumnValue::Null),
        Just(ColumnValue::Opaque),
        any::<i64>().prop_map(ColumnValue::Int),
        decimal.prop_map(ColumnValue::Dec),
        "(A-[0-9]|CNY|退票|.{0,80})".prop_map(|text| ColumnValue::Text(text.into())),
    ]
}

fn a_change() -> impl Strategy<Value = RowChange> {
    let tables = ["orders", "balance", "外"].map(|name| {
        let columns = (0..name.len()).map(|n| format!("column_{n}")).collect();
        Arc::new(TableSchema::new(name, columns))
    });
    let image = |table: &Arc<TableSchema>| prop::collection::vec(a_value(), table.columns.len());
    prop::sample::select(tables.to_vec()).prop_flat_map(move |table| {
        (
            Just(Arc::clone(&table)),
            image(&table),
            image(&table),
            0..3_u8,
            any::<bool>(),
        )
            .prop_map(|(table, before, mut after, op, alike)| {
                if alike {
                    after = before.clone();
                }
                let (before, after): (RowImage, RowImage) = (before.into(), after.into());
                match op {
                    0 => RowChange {
                        table,
                        op: ChangeOp::Insert,
                        before: None,
                        after: Some(after),
                    },
                    1 => RowChange {
                        table,
                        op: ChangeOp::Update,
                        before: Some(before),
                        after: Some(after),
                    },
                    _ => RowChange {
                        table,
                        op: ChangeOp::Delete,
                        before: Some(before),
                        after: None,
                    },
                }
            })
    })
}

pub fn a_record() -> impl Strategy<Value = RecordingEntry> {
    let transaction = (
        "[0-9]-[0-9]-[0-9]{1,9}",
        prop::collection::vec(a_change(), 0..6),
    )
        .prop_map(|(position, changes)| {
            let changes = changes.into_iter().map(Arc::new).collect();
            RecordingEntry::Input(RuleInput::Transaction(Arc::new(ChangeTransaction {
                position: position.into(),
                changes,
            })))
        });
    let client = prop::option::of("[a-z]{0,3}");
    let event = (".{0,9}", "[a-z.]{0,12}", any::<i64>(), any::<i64>(), client).prop_map(
        |(text, kind, amount, occurred_us, client)| {
            let body = BusinessEvent {
                id: text.clone(),
                kind,
                account_id: text.clone(),
                biz_no: text,
                amount: Decimal::new(amount, 4),
                currency: "CNY".to_owned(),
                occurred_us,
                payer_account_id: None,
                client,
            };
            RecordingEntry::Input(RuleInput::Event(Arc::new(ReceivedEvent {
                position: "business.payment/0/7".into(),
                body,
            })))
        },
    );
    let watermark = (any::<bool>(), any::<i64>()).prop_map(|(kafka, at_us)| {
        let source = if kafka {
            SourceKind::Kafka
        } else {
            SourceKind::Binlog
        };
        RecordingEntry::Input(RuleInput::Watermark { source, at_us })
    });
    let mark = prop_oneof![
        any::<bool>().prop_map(|mid_stream| RecordingMark::Begin {
            mid_stream,
            rules: "0123".into()
        }),
        Just(RecordingMark::Rules {
            hash: "4567".into()
        }),
        any::<u64>().prop_map(|lost| RecordingMark::Gap { lost }),
    ];
    prop_oneof![4 => transaction, 2 => event, 1 => watermark, 1 => mark.prop_map(RecordingEntry::Mark)]
}
