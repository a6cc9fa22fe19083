//! Cases as people write them, and the inputs they stand for.
//!
//! ```toml
//! [[case]]
//! name = "a request for 100 is booked as 1"
//! [[case.step]]
//! event = { type = "withdraw.requested", account_id = "A-1", biz_no = "W-1", amount = "100.00" }
//! [[case.step]]
//! transaction = "0-1-7"            # its position; made up if empty
//! signed = true                    # adds the core's outbox row
//! [[case.step.row]]
//! table = "orders"
//! op = "insert"
//! after = { account_id = "A-1", biz_no = "W-1", amount = "1.00", currency = "CNY" }
//! [[case.step]]
//! watermark = { binlog = 2500 }    # milliseconds
//! [[case.expect]]
//! at = 2500                        # the latest watermark when it must come
//! account = "A-1"
//! message = "100"
//! [[case.step]]
//! audit = { of = "books", account_id = "A-1", currency = "CNY", rows = 1, balance = "5" }
//! [[case.breaker]]
//! at = 2500
//! key = "cash_out/account/A-1"
//! state = "open"
//! ```
//! Columns left out are NULL (in an audit: zero, or an empty text); of an update,
//! `before` lists only what differs.

use crate::rules::text::one_or_many::OneOrMany;
use crate::rules::text::tables::{self, CATALOG_TABLES, CatalogTable, ColumnKind};
use crate::rules::transaction::signed_effects::summarize;
use crate::stream::change::{
    AuditFact, AuditSubject, ChangeOp, ChangeTransaction, ColumnValue, ReceivedEvent, RowChange,
    RowImage, RuleInput, SourceKind, TableSchema,
};
use rust_decimal::Decimal;
use serde::Deserialize;
use sluice_contract::event::BusinessEvent;
use sluice_contract::settings::Secret;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CasesFile {
    pub case: Vec<RuleCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCase {
    pub name: String,
    pub step: Vec<CaseStep>,
    #[serde(default)]
    pub expect: Vec<ExpectedFinding>,
    #[serde(default)]
    pub breaker: Vec<ExpectedBreaker>,
}

/// What a breaker must be at a time, in milliseconds by the case's watermarks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedBreaker {
    pub at: i64,
    pub key: String,
    pub state: ExpectedBreakerState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedBreakerState {
    Open,
    Closed,
}

/// A finding that must come. What is left out may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFinding {
    /// When it comes, in milliseconds by the latest watermark so far.
    pub at: Option<i64>,
    pub account: Option<String>,
    pub item: Option<String>,
    /// Part of the message.
    pub message: Option<String>,
    /// The money at stake, exactly as the rule writes it.
    pub amount: Option<String>,
    pub breaker: Option<OneOrMany>,
    /// The rule is expected to be unable to decide.
    #[serde(default)]
    pub undetermined: bool,
}

/// Exactly one of `transaction`, `event`, `watermark` and `audit`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseStep {
    transaction: Option<String>,
    #[serde(default)]
    signed: bool,
    #[serde(default)]
    row: Vec<WrittenRow>,
    event: Option<WrittenEvent>,
    watermark: Option<WrittenWatermark>,
    audit: Option<WrittenFact>,
}

type CaseValues = BTreeMap<String, toml::Value>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    table: String,
    op: crate::rules::text::row_filter::RowOp,
    before: Option<CaseValues>,
    after: Option<CaseValues>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvent {
    #[serde(default)]
    id: String,
    #[serde(rename = "type")]
    kind: String,
    account_id: String,
    biz_no: String,
    amount: String,
    #[serde(default = "yuan")]
    currency: String,
    #[serde(default)]
    occurred_us: i64,
}

fn yuan() -> String {
    "CNY".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWatermark {
    binlog: Option<i64>,
    kafka: Option<i64>,
}

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

/// Something at rest: what it is of, and its values by name.
#[derive(Debug, Deserialize)]
struct WrittenFact {
    of: AuditSubject,
    #[serde(flatten)]
    values: CaseValues,
}

impl WrittenFact {
    fn input(&self) -> Result<RuleInput, String> {
        let fields = crate::rules::text::audit_facts::fact_fields(self.of);
        let zero = |kind: ColumnKind| match kind {
            ColumnKind::Text => ColumnValue::Text("".into()),
            ColumnKind::Int => ColumnValue::Int(0),
            ColumnKind::Money => ColumnValue::Dec(Decimal::ZERO),
        };
        let known = CatalogTable {
            name: crate::rules::text::audit_facts::fact_name(self.of),
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

fn table_of(known: &CatalogTable) -> Arc<TableSchema> {
    let columns = known.columns.iter().map(|(c, _)| (*c).to_owned()).collect();
    Arc::new(TableSchema {
        name: known.name.to_owned(),
        columns,
    })
}

impl WrittenRow {
    fn change(&self, tables: &[Arc<TableSchema>]) -> Result<RowChange, String> {
        use crate::rules::text::row_filter::RowOp;
        let at = tables::find(&self.table).ok_or_else(|| {
            format!(
                "{:?} is not a watched table: {}",
                self.table,
                tables::names()
            )
        })?;
        let known = &CATALOG_TABLES[at];
        let empty = || {
            known
                .columns
                .iter()
                .map(|(c, _)| by_default(c))
                .collect::<RowImage>()
        };
        let (op, before, after) = match (self.op, &self.before, &self.after) {
            (RowOp::Insert, None, Some(after)) => {
                (ChangeOp::Insert, None, Some(fill(known, empty(), after)?))
            }
            (RowOp::Delete, Some(before), None) => {
                (ChangeOp::Delete, Some(fill(known, empty(), before)?), None)
            }
            (RowOp::Update, Some(before), Some(after)) => {
                let after = fill(known, empty(), after)?;
                (
                    ChangeOp::Update,
                    Some(fill(known, after.clone(), before)?),
                    Some(after),
                )
            }
            _ => {
                return Err(format!(
                    "a row of {}: insert has after, delete has before, update has both",
                    self.table
                ));
            }
        };
        Ok(RowChange {
            table: Arc::clone(&tables[at]),
            op,
            before,
            after,
        })
    }
}

/// What a column that a case leaves out holds: the migrations' own defaults.
fn by_default(column: &str) -> ColumnValue {
    match column {
        "intermediate" | "intermediate_reserved" => ColumnValue::Dec(Decimal::ZERO),
        "event_time_us" => ColumnValue::Int(0),
        _ => ColumnValue::Null,
    }
}

fn fill(
    known: &CatalogTable,
    mut image: RowImage,
    values: &CaseValues,
) -> Result<RowImage, String> {
    for (column, written) in values {
        let at = known.columns.iter().position(|(c, _)| c == column);
        let at = at.ok_or_else(|| {
            format!(
                "{column:?} is not a column of {}: {}",
                known.name,
                known.column_names()
            )
        })?;
        image[at] = match (known.columns[at].1, written) {
            (ColumnKind::Money, toml::Value::String(text)) => ColumnValue::Dec(amount(text)?),
            (ColumnKind::Int, toml::Value::Integer(number)) => ColumnValue::Int(*number),
            (ColumnKind::Text, toml::Value::String(text)) => {
                ColumnValue::Text(text.as_str().into())
            }
            (kind, _) => {
                return Err(format!(
                    "{}.{column} is {kind:?}; amounts and texts are written in quotes",
                    known.name
                ));
            }
        };
    }
    Ok(image)
}

fn amount(text: &str) -> Result<Decimal, String> {
    Decimal::from_str_exact(text).map_err(|e| format!("{text:?} is not an amount: {e}"))
}

impl WrittenEvent {
    fn input(&self, number: usize) -> Result<RuleInput, String> {
        let id = if self.id.is_empty() {
            format!("event-{number}")
        } else {
            self.id.clone()
        };
        let body = BusinessEvent {
            id,
            kind: self.kind.clone(),
            account_id: self.account_id.clone(),
            biz_no: self.biz_no.clone(),
            amount: amount(&self.amount)?,
            currency: self.currency.clone(),
            occurred_us: self.occurred_us,
        };
        let position = format!("{}/0/{number}", body.topic()).into();
        Ok(RuleInput::Event(Arc::new(ReceivedEvent { position, body })))
    }
}

impl WrittenWatermark {
    fn inputs(&self) -> Vec<RuleInput> {
        let both = [
            (SourceKind::Binlog, self.binlog),
            (SourceKind::Kafka, self.kafka),
        ];
        let input = |(source, ms): (SourceKind, Option<i64>)| {
            Some(RuleInput::Watermark {
                source,
                at_us: ms?.saturating_mul(1_000),
            })
        };
        both.into_iter().filter_map(input).collect()
    }
}
