//! The view that a window rule gets of the rows before: `earlier.count`, `earlier.sum`,
//! `earlier.distinct`, `earlier.seen(value)`, `earlier.values`.

use crate::rules::views::trace::{self, TracedInput, TracedRead};
use crate::rules::views::values::{RhaiResult, equals, to_dynamic};
use crate::rules::views::window_sum::WindowSum;
use crate::rules::views::window_totals::{WindowRow, WindowTotals};
use rhai::{Array, Dynamic, Engine};
use rust_decimal::Decimal;
use std::sync::{Arc, Mutex, PoisonError};

/// The rows before, as a rule sees them.
#[derive(Debug, Clone)]
pub enum WindowView {
    Few(Arc<[WindowRow]>),
    Many(Arc<Mutex<WindowTotals>>),
}

impl WindowView {
    pub fn few(seen: Vec<WindowRow>) -> WindowView {
        WindowView::Few(seen.into())
    }

    pub fn many(totals: &Arc<Mutex<WindowTotals>>) -> WindowView {
        WindowView::Many(Arc::clone(totals))
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, WindowView::Few(seen) if seen.is_empty())
    }

    /// Their positions, of the newest.
    pub fn inputs(&self) -> Vec<TracedInput> {
        let input = |seen: &WindowRow| TracedInput {
            position: seen.position.to_string(),
            what: "earlier row".to_owned(),
        };
        match self {
            WindowView::Few(seen) => seen.iter().map(input).collect(),
            WindowView::Many(totals) => locked(totals).newest.iter().map(input).collect(),
        }
    }

    fn count(&mut self) -> i64 {
        let count = match self {
            WindowView::Few(seen) => seen.len(),
            WindowView::Many(totals) => locked(totals).count,
        };
        noted("count", || Some(count.to_string()));
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    fn sum(&mut self) -> RhaiResult<Decimal> {
        let sum = match self {
            WindowView::Few(seen) => {
                let mut sum = WindowSum::default();
                seen.iter().for_each(|seen| sum.move_by(&seen.value, true));
                sum
            }
            WindowView::Many(totals) => locked(totals).sum,
        };
        let checked_sum = sum.checked_sum()?;
        noted("sum", || Some(checked_sum.to_string()));
        Ok(checked_sum)
    }

    fn distinct(&mut self) -> i64 {
        let distinct = match self {
            WindowView::Few(seen) => {
                let new = |at: usize| !seen[..at].iter().any(|s| s.value == seen[at].value);
                (0..seen.len()).filter(|at| new(*at)).count()
            }
            WindowView::Many(totals) => locked(totals).values.len(),
        };
        noted("distinct", || Some(distinct.to_string()));
        i64::try_from(distinct).unwrap_or(i64::MAX)
    }

    /// A column has one kind of values, so the newest tell whether `wanted` can be
    /// compared with all of them.
    fn seen(&mut self, wanted: Dynamic) -> RhaiResult<bool> {
        let seen = match self {
            WindowView::Few(seen) => is_among(seen.iter(), &wanted)?,
            WindowView::Many(totals) => {
                let totals = locked(totals);
                is_among(totals.newest.iter(), &wanted)? || totals.has(&wanted)
            }
        };
        noted(&format!("seen({wanted})"), || Some(seen.to_string()));
        Ok(seen)
    }

    /// The newest, oldest first.
    fn values(&mut self) -> RhaiResult<Array> {
        let values = |seen: &WindowRow| to_dynamic(&seen.value, "keep");
        let shown: Array = match self {
            WindowView::Few(seen) => seen.iter().map(values).collect::<RhaiResult<_>>()?,
            WindowView::Many(totals) => locked(totals)
                .newest
                .iter()
                .map(values)
                .collect::<RhaiResult<_>>()?,
        };
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

fn locked(totals: &Mutex<WindowTotals>) -> std::sync::MutexGuard<'_, WindowTotals> {
    totals.lock().unwrap_or_else(PoisonError::into_inner)
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
