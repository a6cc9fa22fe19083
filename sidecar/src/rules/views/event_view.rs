//! The view that a rule gets of a business event.

use crate::rules::views::trace::{self, TracedInput, TracedRead};
use crate::stream::change::ReceivedEvent;
use rhai::{Engine, ImmutableString};
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// A business event: `id`, `kind`, `account_id`, `biz_no`, `amount`, `currency`,
/// `occurred_us`.
#[derive(Debug, Clone)]
pub struct EventView(pub Arc<ReceivedEvent>);

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

/// Registers the view.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<EventView>("Event")
        .register_get("amount", |e: &mut EventView| {
            e.note("amount", || e.0.body.amount.to_string());
            e.0.body.amount
        })
        .register_get("occurred_us", |e: &mut EventView| {
            e.note("occurred_us", || e.0.body.occurred_us.to_string());
            e.0.body.occurred_us
        });
    for (name, get) in EVENT_TEXT_FIELDS {
        engine.register_get(name, move |e: &mut EventView| e.text(name, get(&e.0.body)));
    }
}
