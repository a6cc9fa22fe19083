//! Timelines: the inputs that the steps of a case stand for.

use crate::rules::testing::case_file::CaseStep;
use crate::rules::testing::written_row::table_of;
use crate::rules::text::tables::{self, CATALOG_TABLES};
use crate::rules::transaction::signed_effects::summarize;
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RowImage, RuleInput, TableSchema,
};
use sluice_contract::settings::Secret;
use std::sync::Arc;

impl CaseStep {
    /// The latest time that this step's watermark tells, in milliseconds.
    pub fn clock(&self) -> Option<i64> {
        self.watermark
            .as_ref()
            .and_then(|both| both.binlog.max(both.kafka))
    }

    /// The inputs of this step; `number` makes positions and ids unique.
    pub fn inputs(&self, number: usize, key: &Secret) -> Result<Vec<RuleInput>, String> {
        match (&self.transaction, &self.event, &self.watermark, &self.audit) {
            (Some(position), None, None, None) => {
                Ok(vec![self.transaction(position, number, key)?])
            }
            (None, Some(event), None, None) => Ok(vec![event.input(number)?]),
            (None, None, Some(watermark), None) => Ok(watermark.inputs()),
            (None, None, None, Some(fact)) => Ok(vec![
                fact.input().map_err(|e| format!("step {number}: {e}"))?,
            ]),
            _ => Err(format!(
                "step {number} needs exactly one of transaction, event, watermark and audit"
            )),
        }
    }

    fn transaction(
        &self,
        position: &str,
        number: usize,
        key: &Secret,
    ) -> Result<RuleInput, String> {
        let tables: Vec<Arc<TableSchema>> = CATALOG_TABLES.iter().map(table_of).collect();
        let changes = self
            .row
            .iter()
            .map(|row| row.change(&tables).map(Arc::new))
            .collect::<Result<Vec<_>, _>>();
        let position = if position.is_empty() {
            format!("0-1-{number}").into()
        } else {
            position.into()
        };
        let mut transaction = ChangeTransaction {
            position,
            changes: changes.map_err(|e| format!("step {number}: {e}"))?,
        };
        if self.signed {
            let outbox = sign(&transaction, &tables, number, key);
            transaction.changes.extend(outbox.map(Arc::new));
        }
        Ok(RuleInput::Transaction(Arc::new(transaction)))
    }
}

/// The outbox row that the core would have written.
fn sign(
    transaction: &ChangeTransaction,
    tables: &[Arc<TableSchema>],
    number: usize,
    key: &Secret,
) -> Option<RowChange> {
    let tx_id = format!("{number:032x}");
    let signature = summarize(transaction).effects.sign(key, &tx_id, "[]");
    let row = |column: &str| match column {
        "tx_id" => ColumnValue::Text(tx_id.as_str().into()),
        "signature" => ColumnValue::Text(signature.as_str().into()),
        "events" => ColumnValue::Text("[]".into()),
        _ => ColumnValue::Null,
    };
    let table = tables::find("outbox").and_then(|at| tables.get(at))?;
    let after: RowImage = table.columns.iter().map(|c| row(c)).collect();
    Some(RowChange {
        table: Arc::clone(table),
        op: ChangeOp::Insert,
        before: None,
        after: Some(after),
    })
}
