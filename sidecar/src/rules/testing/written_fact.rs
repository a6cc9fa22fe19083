//! Facts of a case, as people write them.

use crate::rules::testing::written_values::{CaseValues, fill};
use crate::rules::text::audit_facts::{fact_fields, fact_name};
use crate::rules::text::tables::{CatalogTable, ColumnKind};
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue, RuleInput};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::sync::Arc;

/// A fact at rest: its subject, and its values by name.
#[derive(Debug, Deserialize)]
pub struct WrittenFact {
    of: AuditSubject,
    #[serde(flatten)]
    values: CaseValues,
}

impl WrittenFact {
    /// The input that this fact stands for.
    pub fn input(&self) -> Result<RuleInput, String> {
        let fields = fact_fields(self.of);
        let zero = |kind: ColumnKind| match kind {
            ColumnKind::Text => ColumnValue::Text("".into()),
            ColumnKind::Int => ColumnValue::Int(0),
            ColumnKind::Money => ColumnValue::Dec(Decimal::ZERO),
        };
        let known = CatalogTable {
            name: fact_name(self.of),
            guarded: false,
            columns: fields,
        };
        let values = fill(
            &known,
            fields.iter().map(|(_, kind)| zero(*kind)).collect(),
            &self.values,
        )?;
        Ok(RuleInput::AtRest(Arc::new(AuditFact {
            of: self.of,
            values,
        })))
    }
}
