//! Comparisons of conditions, and what they may call: our own, in place of Rhai's.

use crate::routing::conditions::details::TextListView;
use rhai::{Dynamic, Engine, EvalAltResult};
use rust_decimal::Decimal;
use std::cmp::Ordering;

type ConditionResult<T> = Result<T, Box<EvalAltResult>>;

/// Registers lists and comparisons.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<TextListView>("list");
    engine.register_fn("contains", TextListView::contains);
    engine.register_fn("len", TextListView::len);
    engine.register_fn("within", TextListView::within);
    engine.register_fn("==", |a: Dynamic, b: Dynamic| {
        ConditionResult::Ok(compare(&a, &b)?.is_eq())
    });
    engine.register_fn("!=", |a: Dynamic, b: Dynamic| {
        ConditionResult::Ok(compare(&a, &b)?.is_ne())
    });
    engine.register_fn("<", |a: Dynamic, b: Dynamic| {
        ConditionResult::Ok(compare(&a, &b)?.is_lt())
    });
    engine.register_fn("<=", |a: Dynamic, b: Dynamic| {
        ConditionResult::Ok(compare(&a, &b)?.is_le())
    });
    engine.register_fn(">", |a: Dynamic, b: Dynamic| {
        ConditionResult::Ok(compare(&a, &b)?.is_gt())
    });
    engine.register_fn(">=", |a: Dynamic, b: Dynamic| {
        ConditionResult::Ok(compare(&a, &b)?.is_ge())
    });
}

/// Compares two values of one kind. Rhai answers `false` when a number is compared with
/// a text, so that `!(amount > "50000")` would let everything pass. Here it is an error.
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
