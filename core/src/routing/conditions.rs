//! Conditions: Rhai expressions that say whether a channel may take an order. They
//! see the order, the channel and the rule's details, and nothing else: no clock, no
//! I/O, no floats, no statements, and a limit on everything.

use crate::orders::Order;
use crate::routing::draft::RoutingDetailValue;
use crate::routing::windows::TimeWindow;
use anyhow::Context;
use jiff::civil::DateTime;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicStringPackage, LogicPackage, MoreStringPackage,
    Package,
};
use rhai::{
    AST, Dynamic, Engine, EvalAltResult, ImmutableString, OptimizationLevel, Scope, def_package,
};
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// Operations of one evaluation: a condition needs some dozens. With texts of at
/// most `MAX_TEXT_BYTES` bytes this bounds the time too, so no clock is needed.
const MAX_OPERATIONS: u64 = 5_000;
const MAX_TEXT_BYTES: usize = 2_048;
const MAX_ARRAY_ITEMS: usize = 256;
/// What every condition may use besides its details.
pub const CONDITION_VARIABLES: [&str; 8] = [
    "kind",
    "account",
    "user",
    "business",
    "to_account",
    "bank",
    "currency",
    "amount",
];
/// The ninth: which channel is asked.
pub const CHANNEL_VARIABLE: &str = "channel";

type ConditionResult<T> = Result<T, Box<EvalAltResult>>;

def_package! {
    /// Arithmetic, comparisons and text. Not the language core package: its `sleep`
    /// blocks the thread past every limit.
    ConditionPackage(module): ArithmeticPackage, LogicPackage, BasicStringPackage, MoreStringPackage, BasicArrayPackage {
        let _ = module;
    }
}

/// A list of texts, such as a blacklist: asked by hash, whatever its length.
#[derive(Debug, Default)]
pub struct TextList {
    items: HashSet<String>,
    ordered: Vec<String>,
    windows: OnceLock<Result<Vec<TimeWindow>, String>>,
}

impl TextList {
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
struct TextListView {
    list: Arc<TextList>,
    local: DateTime,
}

impl TextListView {
    fn contains(&mut self, item: ImmutableString) -> bool {
        self.list.items.contains(item.as_str())
    }

    fn len(&mut self) -> i64 {
        self.list.ordered.len() as i64
    }

    fn within(self) -> ConditionResult<bool> {
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
    fn dynamic(&self, local: DateTime) -> Dynamic {
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

/// A compiled condition.
#[derive(Debug)]
pub struct CompiledCondition(AST);

/// The engine, shared by all conditions of a configuration.
#[derive(Debug)]
pub struct ConditionEngine(Engine);

impl Default for ConditionEngine {
    fn default() -> Self {
        let mut engine = Engine::new_raw();
        ConditionPackage::new().register_into_engine(&mut engine);
        // The interner would take a lock at every call.
        engine.set_max_strings_interned(0);
        // Compiling must neither fold sample values into a condition nor call anything.
        engine.set_optimization_level(OptimizationLevel::None);
        engine.set_strict_variables(true);
        // Comparisons are our own: see `compare`.
        engine.set_fast_operators(false);
        engine.set_max_operations(MAX_OPERATIONS);
        engine.set_max_string_size(MAX_TEXT_BYTES);
        engine.set_max_array_size(MAX_ARRAY_ITEMS);
        engine.set_max_map_size(1);
        engine.set_max_call_levels(4);
        engine.set_max_expr_depths(32, 1);
        engine.set_max_functions(0);
        engine.set_max_variables(64);
        engine.set_max_modules(0);
        for symbol in [
            "eval", "print", "debug", "import", "export", "fn", "loop", "while", "for", "do",
            "switch",
        ] {
            engine.disable_symbol(symbol);
        }
        register(&mut engine);
        ConditionEngine(engine)
    }
}

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<TextListView>("list");
    engine.register_fn("contains", TextListView::contains);
    engine.register_fn("len", TextListView::len);
    engine.register_fn("within", TextListView::within);
    engine.register_fn("==", |a: Dynamic, b: Dynamic| {
        Ok::<bool, Box<EvalAltResult>>(compare(&a, &b)?.is_eq())
    });
    engine.register_fn("!=", |a: Dynamic, b: Dynamic| {
        Ok::<bool, Box<EvalAltResult>>(compare(&a, &b)?.is_ne())
    });
    engine.register_fn("<", |a: Dynamic, b: Dynamic| {
        Ok::<bool, Box<EvalAltResult>>(compare(&a, &b)?.is_lt())
    });
    engine.register_fn("<=", |a: Dynamic, b: Dynamic| {
        Ok::<bool, Box<EvalAltResult>>(compare(&a, &b)?.is_le())
    });
    engine.register_fn(">", |a: Dynamic, b: Dynamic| {
        Ok::<bool, Box<EvalAltResult>>(compare(&a, &b)?.is_gt())
    });
    engine.register_fn(">=", |a: Dynamic, b: Dynamic| {
        Ok::<bool, Box<EvalAltResult>>(compare(&a, &b)?.is_ge())
    });
}

/// Rhai answers `false` when a number is compared with a text, so that
/// `!(amount > "50000")` would let everything pass. Here it is an error.
fn compare(a: &Dynamic, b: &Dynamic) -> ConditionResult<Ordering> {
    let number = |d: &Dynamic| {
        d.as_decimal()
            .ok()
            .or_else(|| d.as_int().ok().map(Decimal::from))
    };
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Ok(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Ok(a.as_str().cmp(b.as_str()));
    }
    match (a.as_bool(), b.as_bool()) {
        (Ok(a), Ok(b)) => Ok(a.cmp(&b)),
        _ => Err(format!("can't compare {} with {}", a.type_name(), b.type_name()).into()),
    }
}

impl ConditionEngine {
    /// Compiles an expression that may use the known variables and these details.
    ///
    /// # Errors
    /// What isn't one expression, or names something unknown; in words.
    pub fn compile(&self, text: &str, details: &[String]) -> Result<CompiledCondition, String> {
        let mut scope = Scope::new();
        for name in CONDITION_VARIABLES
            .iter()
            .copied()
            .chain([CHANNEL_VARIABLE])
            .chain(details.iter().map(String::as_str))
        {
            // Variables, not constants: those would be folded in.
            scope.push_dynamic(name.to_owned(), Dynamic::UNIT);
        }
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            self.0.compile_expression_with_scope(&scope, text)
        }));
        match compiled {
            Ok(Ok(ast)) => Ok(CompiledCondition(ast)),
            Ok(Err(error)) => Err(format!("can't be read: {error}")),
            Err(_) => Err("can't be read".to_owned()),
        }
    }

    /// Whether the condition holds for this order on this channel, whose time is
    /// `local`.
    ///
    /// # Errors
    /// What stopped the evaluation, in words: nothing was decided.
    pub fn holds(
        &self,
        condition: &CompiledCondition,
        order: &Order,
        channel: &str,
        local: DateTime,
        details: &ConditionDetails,
    ) -> Result<bool, String> {
        let mut scope = Scope::new();
        for (name, value) in CONDITION_VARIABLES.iter().zip(values(order)) {
            scope.push_constant_dynamic(*name, value);
        }
        scope.push_constant_dynamic(CHANNEL_VARIABLE, channel.into());
        for (name, detail) in details {
            scope.push_constant_dynamic(name.as_str(), detail.dynamic(local));
        }
        let told = catch_unwind(AssertUnwindSafe(|| {
            self.0
                .eval_ast_with_scope::<Dynamic>(&mut scope, &condition.0)
                .map_err(|e| e.to_string())
        }));
        let answer = told.map_err(|_| "a native function panicked".to_owned())??;
        answer
            .as_bool()
            .map_err(|kind| format!("answers {kind}, not true or false"))
    }
}

/// In the order of `CONDITION_VARIABLES`. What an order hasn't got is an empty text.
fn values(order: &Order) -> [Dynamic; 8] {
    let text = |text: Option<&str>| Dynamic::from(ImmutableString::from(text.unwrap_or_default()));
    [
        text(Some(order.kind.as_str())),
        text(Some(&order.account_id)),
        text(order.user_id.as_deref()),
        text(Some(&order.client)),
        text(Some(&order.to_account)),
        text(order.bank.as_deref()),
        text(Some(order.currency.code())),
        Dynamic::from_decimal(order.amount.normalize()),
    ]
}

/// A channel's time, from its trade time `YYYYMMDDhhmmss`.
pub fn local_of(trade_time: &str) -> anyhow::Result<DateTime> {
    DateTime::strptime("%Y%m%d%H%M%S", trade_time)
        .with_context(|| format!("trade time {trade_time:?}"))
}

/// The details that the text reads as windows: `within(name)`.
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

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
