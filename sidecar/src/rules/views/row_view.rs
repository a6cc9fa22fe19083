//! The view that a rule gets of a changed row. Values are converted when they are asked
//! for; a name that isn't there is an error, never an empty value.

use crate::rules::views::image_view::ImageView;
use crate::rules::views::row_position::{RowPosition, op_name, row_name};
use crate::rules::views::trace::{self, TracedInput, TracedRead};
use crate::rules::views::values::{RhaiResult, fail};
use crate::stream::change::RowChange;
use rhai::{Array, Dynamic, Engine, ImmutableString};
use std::sync::Arc;

/// A changed row: `row.table`, `row.op`, `row.before`, `row.after`, `row.changed`.
#[derive(Debug, Clone)]
pub struct RowView {
    pub change: Arc<RowChange>,
    pub row_position: RowPosition,
}

impl RowView {
    fn table(&mut self) -> ImmutableString {
        self.change.table.name.as_str().into()
    }

    fn op(&mut self) -> ImmutableString {
        op_name(self.change.op).into()
    }

    fn before(&mut self) -> RhaiResult<ImageView> {
        ImageView::of(&self.change, false, self.row_position.clone())
    }

    fn after(&mut self) -> RhaiResult<ImageView> {
        ImageView::of(&self.change, true, self.row_position.clone())
    }

    /// Whether the value at `at` is another one now. Of what came or went, all are.
    fn differs(&self, at: usize) -> bool {
        match (&self.change.before, &self.change.after) {
            (Some(before), Some(after)) => before.get(at) != after.get(at),
            _ => true,
        }
    }

    fn changed(&mut self) -> Array {
        let columns = self
            .change
            .table
            .columns
            .iter()
            .enumerate()
            .filter(|(at, _)| self.differs(*at));
        let columns: Vec<&str> = columns.map(|(_, column)| column.as_str()).collect();
        self.note("changed", || columns.join(", "));
        columns
            .into_iter()
            .map(|column| Dynamic::from(ImmutableString::from(column)))
            .collect()
    }

    fn has_changed(&mut self, column: &str) -> RhaiResult<bool> {
        let Some(at) = self.change.table.column(column) else {
            return fail(format!("{} has no column {column}", self.change.table.name));
        };
        let changed = self.differs(at);
        self.note(&format!("changed({column:?})"), || changed.to_string());
        Ok(changed)
    }

    fn note(&self, name: &str, value: impl FnOnce() -> String) {
        trace::note(|| TracedRead {
            position: self.row_position.position.to_string(),
            of: row_name(&self.change, &self.row_position),
            name: name.to_owned(),
            value: Some(value()),
        });
    }

    pub fn seen(&self) -> TracedInput {
        TracedInput {
            position: self.row_position.position.to_string(),
            what: row_name(&self.change, &self.row_position),
        }
    }
}

/// Registers the view.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<RowView>("Row")
        .register_get("table", RowView::table)
        .register_get("op", RowView::op)
        .register_get("before", RowView::before)
        .register_get("after", RowView::after)
        .register_get("changed", RowView::changed)
        .register_fn("changed", RowView::has_changed);
}
