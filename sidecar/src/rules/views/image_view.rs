//! The view that a rule gets of a row before or after a change.

use crate::rules::text::tables;
use crate::rules::views::row_position::{RowPosition, row_name};
use crate::rules::views::trace::{self, TracedInput, TracedRead};
use crate::rules::views::values::{RhaiResult, fail, to_dynamic, value_text};
use crate::stream::change::{ColumnValue, RowChange};
use rhai::{Dynamic, Engine};
use std::sync::Arc;

/// One image of a row; its columns are its properties.
#[derive(Debug, Clone)]
pub struct ImageView {
    pub change: Arc<RowChange>,
    pub row_position: RowPosition,
    pub after: bool,
}

impl ImageView {
    pub fn of(
        change: &Arc<RowChange>,
        after: bool,
        row_position: RowPosition,
    ) -> RhaiResult<ImageView> {
        let image = if after { &change.after } else { &change.before };
        if image.is_none() {
            let which = if after {
                "deleted: it has no after"
            } else {
                "inserted: it has no before"
            };
            return fail(format!("this row of {} was {which}", change.table.name));
        }
        Ok(ImageView {
            change: Arc::clone(change),
            after,
            row_position,
        })
    }

    fn get(&self, column: &str) -> RhaiResult<Dynamic> {
        let image = if self.after {
            &self.change.after
        } else {
            &self.change.before
        };
        let at = self.change.table.column(column);
        match at.zip(image.as_ref()).and_then(|(at, image)| image.get(at)) {
            Some(value) => {
                trace::note(|| self.read(column, value));
                to_dynamic(value, column)
            }
            None => fail(format!("{} has no column {column}", self.change.table.name)),
        }
    }

    fn read(&self, column: &str, value: &ColumnValue) -> TracedRead {
        let which = if self.after { "after" } else { "before" };
        TracedRead {
            position: self.row_position.position.to_string(),
            of: format!("{}, {which}", row_name(&self.change, &self.row_position)),
            name: column.to_owned(),
            value: value_text(value),
        }
    }

    pub fn seen(&self) -> TracedInput {
        TracedInput {
            position: self.row_position.position.to_string(),
            what: row_name(&self.change, &self.row_position),
        }
    }
}

/// Registers the view, with a property for each column of the catalogue.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<ImageView>("Image");
    for column in tables::all_columns() {
        engine.register_get(column, move |image: &mut ImageView| image.get(column));
    }
}
