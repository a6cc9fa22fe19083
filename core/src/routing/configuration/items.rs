//! Items of a draft in words: what a person compares.

use crate::routing::configuration::draft::RoutingDraft;
use crate::routing::rows::RoutingDetailValue;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

impl RoutingDraft {
    /// Every item with its content in words: what a person compares.
    pub fn items(&self) -> BTreeMap<String, String> {
        let mut items =
            BTreeMap::from([("no_route".to_owned(), self.no_route.as_str().to_owned())]);
        for c in &self.channels {
            let paused = if c.paused { ", paused" } else { "" };
            let note = if c.note.is_empty() {
                String::new()
            } else {
                format!(" ({})", c.note)
            };
            let text = format!("priority {}, weight {}{paused}{note}", c.priority, c.weight);
            items.insert(format!("channel {}", c.channel), text);
        }
        for (at, r) in self.rules.iter().enumerate() {
            let text = format!(
                "{}. {} | otherwise {} | {}",
                at + 1,
                r.condition,
                r.otherwise.as_str(),
                r.message
            );
            items.insert(format!("rule {}", r.rule), text);
            for d in &r.details {
                let text = match &d.value {
                    RoutingDetailValue::Text(text) => format!("{text:?}"),
                    RoutingDetailValue::Number(number) => number.to_string(),
                    RoutingDetailValue::List(list) => format!("[{}]", list.join(", ")),
                };
                items.insert(format!("detail {}/{}/{}", r.rule, d.channel, d.name), text);
            }
        }
        for l in &self.limits {
            let amount = |a: Option<Decimal>| a.map_or("-".to_owned(), |a| a.to_string());
            let (single, day, month) = (amount(l.single), amount(l.day), amount(l.month));
            let text = format!(
                "single {single}, day {day}, month {month}, otherwise {}",
                l.otherwise.as_str()
            );
            items.insert(l.place(), text);
        }
        items
    }
}
