//! Sides of a pair as the header of a rule writes them.

use crate::rules::text::one_or_many::OneOrMany;
use crate::rules::text::row_filter::{RowFilter, RowOp};
use crate::stream::change::SourceKind;
use serde::Deserialize;

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

/// Owner of a half, beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairPer {
    /// The core's client: a row's column `client`, an event's field `client`.
    Client,
}

/// The sides of a pair that must find its partner in time.
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
