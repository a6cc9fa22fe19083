//! The Rhai engine, cut down to what a rule needs, with a limit on everything.

use super::{at_rest, sums, tx, types};
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
    LogicPackage, MoreStringPackage,
};
use rhai::{Dynamic, Engine, OptimizationLevel, def_package};
use std::cell::Cell;
use std::time::Duration;

/// Operations of one evaluation. A shipped rule needs some dozens.
const MOST_OPERATIONS: u64 = 200_000;
/// How often the deadline is looked at, in operations: at every one, the clock
/// would cost more than the rule.
const CLOCK_EVERY: u64 = 128;
/// How long one evaluation may take: a rule that is slower would stall the fence.
/// Measured in this thread's own processor time, so that a busy machine does not
/// make a good rule look slow.
const DEADLINE: Duration = Duration::from_millis(5);

thread_local! {
    /// When the current evaluation did its 128th operation. Most never do.
    static BEGAN: Cell<Option<Duration>> = const { Cell::new(None) };
}

def_package! {
    /// What rules may use: arithmetic, text, arrays, maps. Not the language core
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
    engine.set_max_operations(MOST_OPERATIONS);
    engine.set_max_string_size(64 * 1024);
    engine.set_max_array_size(10_000);
    engine.set_max_map_size(1_000);
    engine.set_max_call_levels(32);
    engine.set_max_expr_depths(64, 32);
    engine.set_max_functions(64);
    engine.set_max_variables(256);
    engine.set_max_modules(0);
    for symbol in ["eval", "print", "debug", "import", "export"] {
        engine.disable_symbol(symbol);
    }
    engine.on_progress(past_deadline);
    types::register(&mut engine);
    tx::register(&mut engine);
    sums::register(&mut engine);
    at_rest::register(&mut engine);
    engine
}

/// Counts from the first look, so that short evaluations never read the clock.
fn past_deadline(operations: u64) -> Option<Dynamic> {
    if !operations.is_multiple_of(CLOCK_EVERY) {
        return None;
    }
    if operations == CLOCK_EVERY {
        BEGAN.set(Some(processor_time()));
        return None;
    }
    let late = BEGAN.get().is_some_and(|began| processor_time().saturating_sub(began) > DEADLINE);
    late.then(|| Dynamic::from(format!("took longer than {} ms", DEADLINE.as_millis())))
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
