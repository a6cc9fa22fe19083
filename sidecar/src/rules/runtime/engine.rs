//! The Rhai engine, cut down to what a rule needs, with a limit on everything.

use crate::rules::runtime::{call_context, comparisons};
use crate::rules::transaction::{transaction_sums, transaction_view};
use crate::rules::views::limits::past_deadline;
use crate::rules::views::values::{RhaiResult, fail};
use crate::rules::views::{event_view, fact_view, image_view, row_view, violation, window_view};
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage,
};
use rhai::{Engine, ImmutableString, OptimizationLevel, def_package};

/// Operations of one evaluation. A shipped rule needs some dozens.
const MAX_OPERATIONS: u64 = 100_000;
/// Longest text, and most elements of an array, all nested ones counted.
const MAX_TEXT_BYTES: usize = 16 * 1024;
const MAX_ARRAY_ELEMENTS: usize = 8_192;

def_package! {
    /// Packages that rules may use: arithmetic, text, arrays, maps. Not the language core
    /// package: its `sleep` blocks the thread past every limit.
    RulePackage(module): ArithmeticPackage, LogicPackage, BasicStringPackage, MoreStringPackage,
        BasicIteratorPackage, BasicMathPackage, BasicArrayPackage, BasicMapPackage {
        let _ = module;
    }
}

/// An engine with everything registered. Shared by all threads.
pub fn build() -> Engine {
    use rhai::packages::Package;
    let mut engine = Engine::new_raw();
    RulePackage::new().register_into_engine(&mut engine);
    // The interner would take a lock at every call.
    engine.set_max_strings_interned(0);
    // `Full` would call functions while compiling.
    engine.set_optimization_level(OptimizationLevel::Simple);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_string_size(MAX_TEXT_BYTES);
    engine.set_max_array_size(MAX_ARRAY_ELEMENTS);
    engine.set_max_map_size(1_000);
    engine.set_max_call_levels(16);
    engine.set_max_expr_depths(64, 32);
    engine.set_max_functions(64);
    engine.set_max_variables(64);
    engine.set_max_modules(0);
    for symbol in ["eval", "print", "debug", "import", "export"] {
        engine.disable_symbol(symbol);
    }
    comparisons::register(&mut engine);
    engine.on_progress(past_deadline);
    row_view::register(&mut engine);
    image_view::register(&mut engine);
    event_view::register(&mut engine);
    violation::register(&mut engine);
    transaction_view::register(&mut engine);
    transaction_sums::register(&mut engine);
    fact_view::register(&mut engine);
    window_view::register(&mut engine);
    call_context::register(&mut engine);
    register_replace(&mut engine);
    engine
}

/// The package's own `replace` makes its result before anybody looks at its size: a
/// text of 16 KiB could become one of 256 MiB.
fn register_replace(engine: &mut Engine) {
    fn replace(text: &mut ImmutableString, find: &str, by: &str) -> RhaiResult<()> {
        let longer = by.len().saturating_sub(find.len());
        let found = if longer == 0 {
            0
        } else {
            text.matches(find).count()
        };
        if text.len() + found.saturating_mul(longer) > MAX_TEXT_BYTES {
            return fail(format!(
                "replace would make a text that is too large: more than {MAX_TEXT_BYTES} bytes"
            ));
        }
        *text = text.replace(find, by).into();
        Ok(())
    }
    engine
        .register_fn(
            "replace",
            |text: &mut ImmutableString, find: ImmutableString, by: ImmutableString| {
                replace(text, &find, &by)
            },
        )
        .register_fn(
            "replace",
            |text: &mut ImmutableString, find: ImmutableString, by: char| {
                replace(text, &find, by.encode_utf8(&mut [0; 4]))
            },
        )
        .register_fn(
            "replace",
            |text: &mut ImmutableString, find: char, by: ImmutableString| {
                replace(text, find.encode_utf8(&mut [0; 4]), &by)
            },
        )
        .register_fn(
            "replace",
            |text: &mut ImmutableString, find: char, by: char| {
                replace(
                    text,
                    find.encode_utf8(&mut [0; 4]),
                    by.encode_utf8(&mut [0; 4]),
                )
            },
        );
}
