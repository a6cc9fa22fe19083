//! The Rhai engine, cut down to what a rule needs, with a limit on everything.

use super::types::{Answer, fail};
use super::{at_rest, earlier, here, sums, tx, types};
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage,
};
use rhai::{Dynamic, Engine, ImmutableString, OptimizationLevel, def_package};
use std::cell::Cell;
use std::time::Duration;

/// Operations of one evaluation. A shipped rule needs some dozens.
const MOST_OPERATIONS: u64 = 100_000;
/// Longest text, and most elements of an array, all nested ones counted.
const MOST_TEXT: usize = 16 * 1024;
const MOST_ELEMENTS: usize = 8_192;
/// How often the deadline is looked at, in operations: at every one, the clock
/// would cost more than the rule.
const CLOCK_EVERY: u64 = 16;
/// After this much time, a rule's processor time is counted.
const PATIENCE: Duration = Duration::from_millis(1);
/// How much of that it may then use: a rule that is slower would stall the fence. Of
/// its thread alone, so that a busy machine does not make a good rule look slow. A
/// build for tests is several times slower.
const DEADLINE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 6 } else { 2 });
/// Sums over a whole transaction that don't count: their time is the transaction's
/// size, not the rule's fault. A shipped rule asks for eight.
const FREE_SUMS: u32 = 32;

/// How far the current evaluation is.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Fewer operations than a look at the clock.
    Short,
    /// Since this time of the machine.
    Began(Duration),
    /// Since this much of the thread's processor time.
    Counted(Duration),
}

thread_local! {
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Short) };
    static SUMS: Cell<u32> = const { Cell::new(0) };
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
    engine.set_max_string_size(MOST_TEXT);
    engine.set_max_array_size(MOST_ELEMENTS);
    engine.set_max_map_size(1_000);
    engine.set_max_call_levels(16);
    engine.set_max_expr_depths(64, 32);
    engine.set_max_functions(64);
    engine.set_max_variables(64);
    engine.set_max_modules(0);
    for symbol in ["eval", "print", "debug", "import", "export"] {
        engine.disable_symbol(symbol);
    }
    engine.on_progress(past_deadline);
    types::register(&mut engine);
    tx::register(&mut engine);
    sums::register(&mut engine);
    at_rest::register(&mut engine);
    earlier::register(&mut engine);
    here::register(&mut engine);
    register_replace(&mut engine);
    engine
}

/// The package's own `replace` makes its result before anybody looks at its size: a
/// text of 16 KiB could become one of 256 MiB.
fn register_replace(engine: &mut Engine) {
    fn replace(text: &mut ImmutableString, find: &str, by: &str) -> Answer<()> {
        let longer = by.len().saturating_sub(find.len());
        let found = if longer == 0 {
            0
        } else {
            text.matches(find).count()
        };
        if text.len() + found.saturating_mul(longer) > MOST_TEXT {
            return fail(format!(
                "replace would make a text that is too large: more than {MOST_TEXT} bytes"
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

/// A call begins.
pub fn begin() {
    STAGE.set(Stage::Short);
    SUMS.set(0);
}

/// Runs something whose time is not the rule's fault.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    SUMS.set(SUMS.get() + 1);
    if SUMS.get() > FREE_SUMS {
        return work();
    }
    match STAGE.get() {
        Stage::Short => work(),
        Stage::Began(began) => {
            let from = machine_time();
            let done = work();
            STAGE.set(Stage::Began(began + machine_time().saturating_sub(from)));
            done
        }
        Stage::Counted(began) => {
            let from = processor_time();
            let done = work();
            STAGE.set(Stage::Counted(
                began + processor_time().saturating_sub(from),
            ));
            done
        }
    }
}

/// Short evaluations never read a clock; longer ones the machine's, which is cheap;
/// only what seems slow asks the kernel for its thread's processor time.
fn past_deadline(operations: u64) -> Option<Dynamic> {
    if !operations.is_multiple_of(CLOCK_EVERY) {
        return None;
    }
    match STAGE.get() {
        Stage::Short => STAGE.set(Stage::Began(machine_time())),
        Stage::Began(began) if machine_time().saturating_sub(began) > PATIENCE => {
            STAGE.set(Stage::Counted(processor_time()));
        }
        Stage::Counted(began) if processor_time().saturating_sub(began) > DEADLINE => {
            return Some(Dynamic::from(format!(
                "took longer than {} ms",
                DEADLINE.as_millis()
            )));
        }
        Stage::Began(_) | Stage::Counted(_) => {}
    }
    None
}

fn processor_time() -> Duration {
    time_of(rustix::time::ClockId::ThreadCPUTime)
}

fn machine_time() -> Duration {
    time_of(rustix::time::ClockId::Monotonic)
}

fn time_of(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
