//! What rules see of a change or an event. Values are converted when they are
//! asked for; a name that isn't there is an error, never an empty value.

use super::tables;
use crate::change::{Change, Event, Op, Value};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};
use std::sync::Arc;

pub type Answer<T> = Result<T, Box<EvalAltResult>>;

/// An error that a rule engineer reads.
pub fn fail<T>(message: String) -> Answer<T> {
    Err(message.into())
}

/// A changed row: `row.table`, `row.op`, `row.before`, `row.after`.
#[derive(Debug, Clone)]
pub struct Row(pub Arc<Change>);

/// One image of a row; its columns are its properties.
#[derive(Debug, Clone)]
pub struct Image {
    change: Arc<Change>,
    after: bool,
}

/// A business event: `id`, `kind`, `account_id`, `biz_no`, `amount`, `currency`,
/// `occurred_us`.
#[derive(Debug, Clone)]
pub struct EventView(pub Arc<Event>);

/// What `violation(account, item, message)` makes.
#[derive(Debug, Clone)]
pub struct Violation {
    pub account: ImmutableString,
    pub item: ImmutableString,
    pub message: ImmutableString,
}

impl Row {
    fn table(&mut self) -> ImmutableString {
        self.0.table.name.as_str().into()
    }

    fn op(&mut self) -> &'static str {
        match self.0.op {
            Op::Insert => "insert",
            Op::Update => "update",
            Op::Delete => "delete",
        }
    }

    fn before(&mut self) -> Answer<Image> {
        Image::of(&self.0, false)
    }

    fn after(&mut self) -> Answer<Image> {
        Image::of(&self.0, true)
    }
}

impl Image {
    pub fn of(change: &Arc<Change>, after: bool) -> Answer<Image> {
        let image = if after { &change.after } else { &change.before };
        if image.is_none() {
            let which = if after { "deleted: it has no after" } else { "inserted: it has no before" };
            return fail(format!("this row of {} was {which}", change.table.name));
        }
        Ok(Image { change: Arc::clone(change), after })
    }

    fn get(&self, column: &str) -> Answer<Dynamic> {
        let image = if self.after { &self.change.after } else { &self.change.before };
        let at = self.change.table.column(column);
        match at.zip(image.as_ref()).and_then(|(at, image)| image.get(at)) {
            Some(value) => to_dynamic(value, column),
            None => fail(format!("{} has no column {column}", self.change.table.name)),
        }
    }
}

/// A column's value as rules see it; NULL is `()`.
pub fn to_dynamic(value: &Value, column: &str) -> Answer<Dynamic> {
    match value {
        Value::Null => Ok(Dynamic::UNIT),
        Value::Int(number) => Ok((*number).into()),
        Value::Dec(number) => Ok((*number).into()),
        Value::Text(text) => Ok(ImmutableString::from(&**text).into()),
        Value::Opaque => fail(format!("{column} holds something that rules can't read")),
    }
}

/// Whether a column equals what a rule compares it with.
pub fn equals(value: &Value, wanted: &Dynamic) -> bool {
    match value {
        Value::Null => wanted.is_unit(),
        Value::Int(number) => wanted.as_int().is_ok_and(|w| w == *number),
        Value::Dec(number) => wanted.as_decimal().is_ok_and(|w| w == *number),
        Value::Text(text) => wanted.read_lock::<ImmutableString>().is_some_and(|w| w.as_str() == &**text),
        Value::Opaque => false,
    }
}

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Row>("Row")
        .register_get("table", Row::table)
        .register_get("op", |row: &mut Row| ImmutableString::from(row.op()))
        .register_get("before", Row::before)
        .register_get("after", Row::after)
        .register_type_with_name::<Image>("Image")
        .register_type_with_name::<EventView>("Event")
        .register_get("id", |e: &mut EventView| text(&e.0.body.id))
        .register_get("kind", |e: &mut EventView| text(&e.0.body.kind))
        .register_get("account_id", |e: &mut EventView| text(&e.0.body.account_id))
        .register_get("biz_no", |e: &mut EventView| text(&e.0.body.biz_no))
        .register_get("amount", |e: &mut EventView| e.0.body.amount)
        .register_get("currency", |e: &mut EventView| text(&e.0.body.currency))
        .register_get("occurred_us", |e: &mut EventView| e.0.body.occurred_us)
        .register_type_with_name::<Violation>("Violation")
        .register_fn("violation", |account: ImmutableString, item: ImmutableString, message: ImmutableString| {
            Violation { account, item, message }
        });
    for column in tables::all_columns() {
        engine.register_get(column, move |image: &mut Image| image.get(column));
    }
}

fn text(text: &str) -> ImmutableString {
    text.into()
}
