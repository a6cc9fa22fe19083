//! What rules see of a change or an event. Values are converted when they are
//! asked for; a name that isn't there is an error, never an empty value.

use crate::rules::runtime::trace::{self, TracedInput, TracedRead};
use crate::rules::text::tables;
use crate::stream::change::{ChangeOp, ColumnValue, ReceivedEvent, RowChange};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString};
use rust_decimal::Decimal;
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

pub type RhaiResult<T> = Result<T, Box<EvalAltResult>>;

/// An error that a rule engineer reads.
pub fn fail<T>(message: String) -> RhaiResult<T> {
    Err(message.into())
}

/// Where a row stands: its transaction's position, and its number there, from 1.
#[derive(Debug, Clone)]
pub struct RowPosition {
    pub position: Arc<str>,
    pub row: u32,
}

impl RowPosition {
    /// Of the change at `at` in its transaction.
    pub fn new(position: &Arc<str>, at: usize) -> RowPosition {
        RowPosition {
            position: Arc::clone(position),
            row: u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1),
        }
    }
}

/// A changed row: `row.table`, `row.op`, `row.before`, `row.after`, `row.changed`.
#[derive(Debug, Clone)]
pub struct RowView {
    pub change: Arc<RowChange>,
    pub row_position: RowPosition,
}

/// One image of a row; its columns are its properties.
#[derive(Debug, Clone)]
pub struct ImageView {
    pub change: Arc<RowChange>,
    pub row_position: RowPosition,
    pub after: bool,
}

/// A business event: `id`, `kind`, `account_id`, `biz_no`, `amount`, `currency`,
/// `occurred_us`.
#[derive(Debug, Clone)]
pub struct EventView(pub Arc<ReceivedEvent>);

/// What `violation(account, item, message)` or `violation(account, item, message,
/// amount)` makes.
#[derive(Debug, Clone)]
pub struct Violation {
    pub account: ImmutableString,
    pub item: ImmutableString,
    pub message: ImmutableString,
    /// Money at stake, in major units, never below zero.
    pub amount: Option<Decimal>,
}

fn op_name(op: ChangeOp) -> &'static str {
    match op {
        ChangeOp::Insert => "insert",
        ChangeOp::Update => "update",
        ChangeOp::Delete => "delete",
    }
}

/// `row 3: orders insert`.
fn row_name(change: &RowChange, row_position: &RowPosition) -> String {
    format!(
        "row {}: {} {}",
        row_position.row,
        change.table.name,
        op_name(change.op)
    )
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

impl EventView {
    fn of(&self) -> String {
        format!("event {} {}", self.0.body.kind, self.0.body.id)
    }

    fn text(&self, name: &str, value: &str) -> ImmutableString {
        self.note(name, || value.to_owned());
        value.into()
    }

    fn note(&self, name: &str, value: impl FnOnce() -> String) {
        trace::note(|| TracedRead {
            position: self.0.position.to_string(),
            of: self.of(),
            name: name.to_owned(),
            value: Some(value()),
        });
    }

    pub fn seen(&self) -> TracedInput {
        TracedInput {
            position: self.0.position.to_string(),
            what: self.of(),
        }
    }
}

/// A value as text; `None` for NULL.
pub fn value_text(value: &ColumnValue) -> Option<String> {
    match value {
        ColumnValue::Null => None,
        ColumnValue::Int(number) => Some(number.to_string()),
        ColumnValue::Dec(number) => Some(number.to_string()),
        ColumnValue::Text(text) => Some(text.to_string()),
        ColumnValue::Opaque => Some("(something that rules can't read)".to_owned()),
    }
}

/// A column's value as rules see it; NULL is `()`.
pub fn to_dynamic(value: &ColumnValue, column: &str) -> RhaiResult<Dynamic> {
    match value {
        ColumnValue::Null => Ok(Dynamic::UNIT),
        ColumnValue::Int(number) => Ok((*number).into()),
        ColumnValue::Dec(number) => Ok((*number).into()),
        ColumnValue::Text(text) => Ok(ImmutableString::from(&**text).into()),
        ColumnValue::Opaque => fail(format!("{column} holds something that rules can't read")),
    }
}

/// Whether a column equals what a rule compares it with.
pub fn equals(value: &ColumnValue, wanted: &Dynamic) -> bool {
    match value {
        ColumnValue::Null => wanted.is_unit(),
        ColumnValue::Int(number) => wanted.as_int().is_ok_and(|w| w == *number),
        ColumnValue::Dec(number) => wanted.as_decimal().is_ok_and(|w| w == *number),
        ColumnValue::Text(text) => wanted
            .read_lock::<ImmutableString>()
            .is_some_and(|w| w.as_str() == &**text),
        ColumnValue::Opaque => false,
    }
}

type EventTextGetter = fn(&BusinessEvent) -> &str;

/// Fields of events that are text, with how to get them.
const EVENT_TEXT_FIELDS: [(&str, EventTextGetter); 5] = [
    ("id", |body| &body.id),
    ("kind", |body| &body.kind),
    ("account_id", |body| &body.account_id),
    ("biz_no", |body| &body.biz_no),
    ("currency", |body| &body.currency),
];
/// All fields of an event.
pub const EVENT_FIELDS: [&str; 7] = [
    "id",
    "kind",
    "account_id",
    "biz_no",
    "amount",
    "currency",
    "occurred_us",
];

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<RowView>("Row")
        .register_get("table", RowView::table)
        .register_get("op", RowView::op)
        .register_get("before", RowView::before)
        .register_get("after", RowView::after)
        .register_get("changed", RowView::changed)
        .register_fn("changed", RowView::has_changed)
        .register_type_with_name::<ImageView>("Image")
        .register_type_with_name::<EventView>("Event")
        .register_get("amount", |e: &mut EventView| {
            e.note("amount", || e.0.body.amount.to_string());
            e.0.body.amount
        })
        .register_get("occurred_us", |e: &mut EventView| {
            e.note("occurred_us", || e.0.body.occurred_us.to_string());
            e.0.body.occurred_us
        })
        .register_type_with_name::<Violation>("Violation");
    for (name, get) in EVENT_TEXT_FIELDS {
        engine.register_get(name, move |e: &mut EventView| e.text(name, get(&e.0.body)));
    }
    for column in tables::all_columns() {
        engine.register_get(column, move |image: &mut ImageView| image.get(column));
    }
    type Text = ImmutableString;
    let make = |account: Text, item: Text, message: Text, amount: Option<Decimal>| Violation {
        account,
        item,
        message,
        amount: amount.map(|amount| amount.abs()),
    };
    engine
        .register_fn(
            "violation",
            move |account: Text, item: Text, message: Text| make(account, item, message, None),
        )
        .register_fn(
            "violation",
            move |account: Text, item: Text, message: Text, amount: Decimal| {
                make(account, item, message, Some(amount))
            },
        )
        .register_fn(
            "violation",
            move |account: Text, item: Text, message: Text, amount: i64| {
                make(account, item, message, Some(amount.into()))
            },
        );
}

/// Accounts and sums that a rule is told one by one; what is beyond is everybody.
pub const MAX_NAMED: usize = 100;

/// The account of a row, if it has one.
pub fn account_of<'a>(change: &RowChange, image: &'a [ColumnValue]) -> Option<&'a str> {
    match change
        .table
        .column("account_id")
        .and_then(|at| image.get(at))
    {
        Some(ColumnValue::Text(account)) => Some(account),
        _ => None,
    }
}
