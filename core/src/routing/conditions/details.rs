//! Details of a rule as a condition sees them: texts, numbers, and lists that are asked
//! by hash.

use crate::routing::conditions::windows::TimeWindow;
use crate::routing::rows::RoutingDetailValue;
use jiff::civil::DateTime;
use rhai::{Dynamic, EvalAltResult, ImmutableString};
use rust_decimal::Decimal;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

/// A list of texts, such as a blacklist: asked by hash, whatever its length.
#[derive(Debug, Default)]
pub struct TextList {
    items: HashSet<String>,
    ordered: Vec<String>,
    windows: OnceLock<Result<Vec<TimeWindow>, String>>,
}

impl TextList {
    /// Makes a list of these members.
    pub fn new(items: &[String]) -> Self {
        TextList {
            items: items.iter().cloned().collect(),
            ordered: items.to_vec(),
            windows: OnceLock::new(),
        }
    }

    /// The members read as windows of time.
    pub fn windows(&self) -> Result<&[TimeWindow], &str> {
        let read = || {
            self.ordered
                .iter()
                .map(|w| TimeWindow::parse(w).map_err(|e| format!("{e:#}")))
                .collect()
        };
        self.windows
            .get_or_init(read)
            .as_deref()
            .map_err(String::as_str)
    }
}

/// A list as a condition sees it, with the channel's time beside it.
#[derive(Debug, Clone)]
pub(super) struct TextListView {
    list: Arc<TextList>,
    local: DateTime,
}

impl TextListView {
    pub fn contains(&mut self, item: ImmutableString) -> bool {
        self.list.items.contains(item.as_str())
    }

    pub fn len(&mut self) -> i64 {
        self.list.ordered.len() as i64
    }

    pub fn within(self) -> Result<bool, Box<EvalAltResult>> {
        let windows = self.list.windows().map_err(Box::<EvalAltResult>::from)?;
        Ok(windows.iter().any(|w| w.holds(self.local)))
    }
}

/// A detail, ready to be put into a condition.
#[derive(Debug, Clone)]
pub enum ConditionDetail {
    Text(ImmutableString),
    Number(Decimal),
    List(Arc<TextList>),
}

impl From<&RoutingDetailValue> for ConditionDetail {
    fn from(value: &RoutingDetailValue) -> Self {
        match value {
            RoutingDetailValue::Text(text) => ConditionDetail::Text(text.as_str().into()),
            RoutingDetailValue::Number(number) => ConditionDetail::Number(*number),
            RoutingDetailValue::List(list) => ConditionDetail::List(Arc::new(TextList::new(list))),
        }
    }
}

impl ConditionDetail {
    pub(super) fn dynamic(&self, local: DateTime) -> Dynamic {
        match self {
            ConditionDetail::Text(text) => text.clone().into(),
            ConditionDetail::Number(number) => Dynamic::from_decimal(*number),
            ConditionDetail::List(list) => Dynamic::from(TextListView {
                list: Arc::clone(list),
                local,
            }),
        }
    }

    /// For a message; a list is only counted.
    pub fn shown(&self) -> String {
        match self {
            ConditionDetail::Text(text) => text.to_string(),
            ConditionDetail::Number(number) => number.to_string(),
            ConditionDetail::List(list) => format!("a list of {}", list.ordered.len()),
        }
    }
}

/// Names and values of a rule's details for one channel.
pub type ConditionDetails = Vec<(String, ConditionDetail)>;

/// Names the details that the text reads as windows: `within(name)`.
pub fn named_windows(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, word) in text.match_indices("within") {
        let rest = text[at + word.len()..].trim_start();
        let Some(inner) = rest.strip_prefix('(') else {
            continue;
        };
        names.push(inner.split(')').next().unwrap_or_default().trim());
    }
    names
}
