//! Comparison operators of rules: our own in place of Rhai's, which answers `false` where
//! things are unlike. Arithmetic stays Rhai's.

use crate::rules::script::strict_text::{IS_NOT_NULL, IS_NULL, SWITCH_VALUE_FN};
use crate::rules::views::value_kind::{ValueKind, compare, equal};
use crate::rules::views::values::{RhaiResult, fail};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Ranks of the operators in the grammar, as Rhai has them.
const EQUALITY_PRECEDENCE: u8 = 90;
const ORDER_PRECEDENCE: u8 = 130;

/// Takes Rhai's comparisons away and registers ours.
pub fn register(engine: &mut Engine) {
    for (symbol, holds) in [
        ("<", Ordering::is_lt as fn(Ordering) -> bool),
        ("<=", Ordering::is_le),
        (">", Ordering::is_gt),
        (">=", Ordering::is_ge),
    ] {
        replace(engine, symbol, ORDER_PRECEDENCE, holds);
        engine.register_fn(symbol, move |a: Dynamic, b: Dynamic| -> RhaiResult<bool> {
            Ok(holds(compare(&a, &b)?))
        });
    }
    for (symbol, wanted) in [("==", true), ("!=", false)] {
        let holds = if wanted {
            Ordering::is_eq
        } else {
            Ordering::is_ne
        };
        replace(engine, symbol, EQUALITY_PRECEDENCE, holds);
        engine.register_fn(symbol, move |a: Dynamic, b: Dynamic| -> RhaiResult<bool> {
            Ok(equal(&a, &b)? == wanted)
        });
        // In place of the packages' own, which look no further once the lengths differ.
        engine.register_fn(symbol, move |a: Array, b: Array| -> RhaiResult<bool> {
            Ok(equal(&a.into(), &b.into())? == wanted)
        });
        engine.register_fn(symbol, move |a: Map, b: Map| -> RhaiResult<bool> {
            Ok(equal(&a.into(), &b.into())? == wanted)
        });
    }
    for (symbol, wanted) in [(IS_NULL, true), (IS_NOT_NULL, false)] {
        custom(engine, symbol, EQUALITY_PRECEDENCE);
        engine.register_fn(symbol, move |a: Dynamic, b: Dynamic| {
            (a.is_unit() && b.is_unit()) == wanted
        });
    }
    engine.register_fn(SWITCH_VALUE_FN, switch_value);
}

/// An operator that was disabled and made our own has no fast path in which Rhai would
/// answer itself. Values of one type are found first, without a look at their kinds.
fn replace(engine: &mut Engine, symbol: &str, precedence: u8, holds: fn(Ordering) -> bool) {
    engine.disable_symbol(symbol);
    custom(engine, symbol, precedence);
    engine
        .register_fn(symbol, move |a: i64, b: i64| holds(a.cmp(&b)))
        .register_fn(symbol, move |a: Decimal, b: Decimal| holds(a.cmp(&b)))
        .register_fn(symbol, move |a: Decimal, b: i64| {
            holds(a.cmp(&Decimal::from(b)))
        })
        .register_fn(symbol, move |a: i64, b: Decimal| {
            holds(Decimal::from(a).cmp(&b))
        })
        .register_fn(symbol, move |a: ImmutableString, b: ImmutableString| {
            holds(a.as_str().cmp(b.as_str()))
        });
}

fn custom(engine: &mut Engine, symbol: &str, precedence: u8) {
    let registered = engine.register_custom_operator(symbol, precedence);
    debug_assert!(registered.is_ok(), "{symbol} can't be replaced");
}

/// Gives back what a `switch` is about, if it is of a kind that one of its arms names.
fn switch_value(kinds: ImmutableString, value: Dynamic) -> RhaiResult<Dynamic> {
    let kind = ValueKind::of(&value).name();
    if kinds.split(", ").any(|arm| arm == kind) {
        return Ok(value);
    }
    fail(format!(
        "can't compare {kind} with the arms of a switch: {kinds}"
    ))
}
