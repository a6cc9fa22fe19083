//! The view that a window rule gets of the rows before: `earlier.count`, `earlier.sum`,
//! `earlier.distinct`, `earlier.seen(value)`, `earlier.values`.

use crate::rules::views::trace::{self, TracedInput, TracedRead};
use crate::rules::views::values::{RhaiResult, equals, to_dynamic};
use crate::rules::views::window_totals::{OlderRows, WindowRow};
use rhai::{Array, Dynamic, Engine};
use rust_decimal::Decimal;
use std::sync::Arc;

/// The rows before, as a rule sees them.
#[derive(Debug, Clone, Default)]
pub struct WindowView {
    /// The newest, oldest first.
    newest: Arc<Vec<WindowRow>>,
    older: Option<Arc<OlderRows>>,
}

impl WindowView {
    pub fn new(newest: &Arc<Vec<WindowRow>>, older: Option<&Arc<OlderRows>>) -> WindowView {
        WindowView {
            newest: Arc::clone(newest),
            older: older.map(Arc::clone),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.older.is_none()
    }

    /// Their positions, of the newest.
    pub fn inputs(&self) -> Vec<TracedInput> {
        let input = |seen: &WindowRow| TracedInput {
            position: seen.position.to_string(),
            what: "earlier row".to_owned(),
        };
        self.newest.iter().map(input).collect()
    }

    fn count(&mut self) -> i64 {
        let older = self.older.as_ref().map_or(0, |older| older.count);
        let count = self.newest.len() + older;
        noted("count", || Some(count.to_string()));
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    fn sum(&mut self) -> RhaiResult<Decimal> {
        let mut sum = self.older.as_ref().map(|o| o.sum).unwrap_or_default();
        for seen in self.newest.iter() {
            sum.move_by(&seen.value, true);
        }
        let checked_sum = sum.checked_sum()?;
        noted("sum", || Some(checked_sum.to_string()));
        Ok(checked_sum)
    }

    fn distinct(&mut self) -> i64 {
        let distinct = match &self.older {
            Some(older) => older.distinct(&self.newest),
            None => OlderRows::default().distinct(&self.newest),
        };
        noted("distinct", || Some(distinct.to_string()));
        i64::try_from(distinct).unwrap_or(i64::MAX)
    }

    /// A column has one kind of values, so the newest tell whether `wanted` can be
    /// compared with all of them.
    fn seen(&mut self, wanted: Dynamic) -> RhaiResult<bool> {
        let seen = is_among(self.newest.iter(), &wanted)?
            || self.older.as_ref().is_some_and(|o| o.has(&wanted));
        noted(&format!("seen({wanted})"), || Some(seen.to_string()));
        Ok(seen)
    }

    /// The newest, oldest first.
    fn values(&mut self) -> RhaiResult<Array> {
        let values = |seen: &WindowRow| to_dynamic(&seen.value, "keep");
        let shown: Array = self.newest.iter().map(values).collect::<RhaiResult<_>>()?;
        noted("values", || {
            Some(
                shown
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        });
        Ok(shown)
    }
}

/// Looks at every row, so that a value of another kind is refused whatever comes first.
fn is_among<'a>(rows: impl Iterator<Item = &'a WindowRow>, wanted: &Dynamic) -> RhaiResult<bool> {
    let mut found = false;
    for row in rows {
        found |= equals(&row.value, wanted, "the kept column")?;
    }
    Ok(found)
}

fn noted(name: &str, value: impl FnOnce() -> Option<String>) {
    trace::note(|| TracedRead {
        position: String::new(),
        of: "window".to_owned(),
        name: name.to_owned(),
        value: value(),
    });
}

/// Registers the view.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<WindowView>("Earlier")
        .register_get("count", WindowView::count)
        .register_get("sum", WindowView::sum)
        .register_get("distinct", WindowView::distinct)
        .register_get("values", WindowView::values)
        .register_fn("seen", WindowView::seen);
}
