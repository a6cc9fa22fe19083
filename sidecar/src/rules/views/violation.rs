//! Violations, which rules make and answer.

use rhai::{Engine, ImmutableString};
use rust_decimal::Decimal;

/// The answer of a rule, made by `violation(account, item, message)` or
/// `violation(account, item, message, amount)`.
#[derive(Debug, Clone)]
pub struct Violation {
    pub account: ImmutableString,
    pub item: ImmutableString,
    pub message: ImmutableString,
    /// Money at stake, in major units, never below zero.
    pub amount: Option<Decimal>,
}

/// Registers `violation`.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Violation>("Violation");
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
