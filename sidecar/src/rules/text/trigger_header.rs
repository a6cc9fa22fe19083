//! The trigger as the header of a rule writes it.

use crate::stream::change::{AuditSubject, ChangeOp, ColumnValue, SourceKind};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The kind of change of a row, as headers write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowOp {
    Insert,
    Update,
    Delete,
}

impl RowOp {
    pub fn is(self, op: ChangeOp) -> bool {
        matches!(
            (self, op),
            (RowOp::Insert, ChangeOp::Insert)
                | (RowOp::Update, ChangeOp::Update)
                | (RowOp::Delete, ChangeOp::Delete)
        )
    }
}

/// A value in a `where` filter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum FilterValue {
    Int(i64),
    Text(String),
}

impl FilterValue {
    pub fn is(&self, value: &ColumnValue) -> bool {
        match (self, value) {
            (FilterValue::Int(want), ColumnValue::Int(got)) => want == got,
            (FilterValue::Text(want), ColumnValue::Text(got)) => want.as_str() == &**got,
            _ => false,
        }
    }
}

pub type RowFilter = BTreeMap<String, FilterValue>;

/// When a rule is evaluated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "on", rename_all = "lowercase", deny_unknown_fields)]
pub enum Trigger {
    Row {
        table: String,
        ops: Vec<RowOp>,
        #[serde(default)]
        changed: Vec<String>,
        #[serde(default, rename = "where")]
        only: RowFilter,
    },
    Transaction {
        tables: Vec<String>,
    },
    Event {
        event: String,
    },
    Window {
        table: String,
        ops: Vec<RowOp>,
        key: Vec<String>,
        span_ms: u32,
        keep: String,
        #[serde(default, rename = "where")]
        only: RowFilter,
        /// Whether `check` is called for a key's first row too, with nothing before it.
        #[serde(default)]
        first: bool,
    },
    Pair {
        left: PairSide,
        right: PairSide,
        within_ms: u32,
        #[serde(default = "default_keep_ms")]
        keep_ms: u32,
        require: RequiredSides,
        #[serde(default)]
        hold: bool,
        /// How long what has met may still change before it is compared: the newest
        /// of each side count.
        #[serde(default)]
        delay_ms: u32,
    },
    /// Data at rest, read chunk by chunk by `snapshot`.
    Audit {
        of: AuditSubject,
    },
}

pub fn default_keep_ms() -> u32 {
    120_000
}

/// One side of a pair: rows of a table, or business events.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSide {
    pub table: Option<String>,
    pub op: Option<RowOp>,
    pub event: Option<String>,
    /// A column or field, or several that together name the other side.
    pub key: OneOrMany,
    #[serde(default, rename = "where")]
    pub only: RowFilter,
}

impl PairSide {
    pub fn source(&self) -> SourceKind {
        if self.event.is_some() {
            SourceKind::Kafka
        } else {
            SourceKind::Binlog
        }
    }
}

/// Which side of a pair must find its partner in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequiredSides {
    None,
    Left,
    Right,
    Both,
}

impl RequiredSides {
    /// Whether `side` (0 left, 1 right) must find its partner.
    pub fn of(self, side: usize) -> bool {
        match self {
            RequiredSides::None => false,
            RequiredSides::Left => side == 0,
            RequiredSides::Right => side == 1,
            RequiredSides::Both => true,
        }
    }
}

/// A text, or a list of such.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn all(&self) -> &[String] {
        match self {
            OneOrMany::One(text) => std::slice::from_ref(text),
            OneOrMany::Many(texts) => texts,
        }
    }
}
