//! The trigger as the header of a rule writes it: a variant and a struct for each kind.
//! The checks, watches and calls of a kind are in `rules::trigger`, a file each.

use crate::rules::text::pair_side::{PairPer, PairSide, RequiredSides};
use crate::rules::text::row_filter::{RowFilter, RowOp};
use crate::rules::text::row_guard::RowGuard;
use crate::stream::change::AuditSubject;
use serde::Deserialize;

/// When a rule is evaluated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "on", rename_all = "lowercase")]
pub enum Trigger {
    Row(RowTrigger),
    Transaction(TransactionTrigger),
    Event(EventTrigger),
    Window(WindowTrigger),
    Pair(PairTrigger),
    Audit(AuditTrigger),
}

/// Each row of a table by itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowTrigger {
    pub table: String,
    pub ops: Vec<RowOp>,
    /// Columns of which an update must change one; none: every update counts.
    #[serde(default)]
    pub changed: Vec<String>,
    #[serde(default, rename = "where")]
    pub only: RowFilter,
    /// Rows that need no look.
    pub unless: Option<RowGuard>,
}

/// A whole transaction that touches any of the tables.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionTrigger {
    pub tables: Vec<String>,
}

/// Each business event of one kind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventTrigger {
    pub event: String,
}

/// A row together with the earlier ones of its key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowTrigger {
    pub table: String,
    pub ops: Vec<RowOp>,
    pub key: Vec<String>,
    pub span_ms: u32,
    /// The column whose values are kept.
    pub keep: String,
    #[serde(default, rename = "where")]
    pub only: RowFilter,
    /// Whether `check` is called for a key's first row too, with nothing before it.
    #[serde(default)]
    pub first: bool,
}

/// Two rows or events that must say the same.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairTrigger {
    pub left: PairSide,
    pub right: PairSide,
    pub within_ms: u32,
    #[serde(default = "default_keep_ms")]
    pub keep_ms: u32,
    pub require: RequiredSides,
    #[serde(default)]
    pub hold: bool,
    /// Field that parts halves of one key further, where both name it.
    pub per: Option<PairPer>,
    /// The time for which the two that met may still change before they are compared: the newest
    /// of each side count.
    #[serde(default)]
    pub delay_ms: u32,
}

/// Data at rest, read chunk by chunk by the audit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditTrigger {
    pub of: AuditSubject,
}

fn default_keep_ms() -> u32 {
    120_000
}
