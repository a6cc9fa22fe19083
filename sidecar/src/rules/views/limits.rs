//! Limits of one call: its processor time, and how often the clock is looked at.

use rhai::Dynamic;
use std::cell::Cell;
use std::time::Duration;

/// Operations between two looks at the deadline: at every one, the clock
/// would cost more than the rule.
pub const OPERATIONS_PER_CLOCK_READ: u64 = 16;

/// After this much time, a rule's processor time is counted.
pub const CPU_COUNT_AFTER: Duration = Duration::from_millis(1);

/// Processor time that it may then use: a rule that is slower would stall the fence. Of
/// its thread alone, so that a busy machine does not make a good rule look slow. A
/// build for tests is several times slower.
pub const CALL_CPU_DEADLINE: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 6 } else { 2 });

/// The clock that counts the current call.
#[derive(Debug, Clone, Copy)]
pub enum CallStage {
    /// Fewer operations than a look at the clock.
    Short,
    /// Since this time of the machine.
    Began(Duration),
    /// Since this much of the thread's processor time.
    Counted(Duration),
}

/// Sums over a whole transaction that don't count: their time is the transaction's
/// size, not the rule's fault. A shipped rule asks for eight.
const MAX_UNCOUNTED_SUMS: u32 = 32;

thread_local! {
    static CALL_STAGE: Cell<CallStage> = const { Cell::new(CallStage::Short) };
    static SUMS_TAKEN: Cell<u32> = const { Cell::new(0) };
}

/// A call begins.
pub fn start_call() {
    CALL_STAGE.set(CallStage::Short);
    SUMS_TAKEN.set(0);
}

/// Runs work whose time is not the rule's fault.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    SUMS_TAKEN.set(SUMS_TAKEN.get() + 1);
    if SUMS_TAKEN.get() > MAX_UNCOUNTED_SUMS {
        return work();
    }
    match CALL_STAGE.get() {
        CallStage::Short => work(),
        CallStage::Began(began) => {
            let from = machine_time();
            let done = work();
            CALL_STAGE.set(CallStage::Began(
                began + machine_time().saturating_sub(from),
            ));
            done
        }
        CallStage::Counted(began) => {
            let from = processor_time();
            let done = work();
            CALL_STAGE.set(CallStage::Counted(
                began + processor_time().saturating_sub(from),
            ));
            done
        }
    }
}

/// Short evaluations never read a clock; longer ones the machine's, which is cheap;
/// only what seems slow asks the kernel for its thread's processor time.
pub fn past_deadline(operations: u64) -> Option<Dynamic> {
    if !operations.is_multiple_of(OPERATIONS_PER_CLOCK_READ) {
        return None;
    }
    match CALL_STAGE.get() {
        CallStage::Short => CALL_STAGE.set(CallStage::Began(machine_time())),
        CallStage::Began(began) if machine_time().saturating_sub(began) > CPU_COUNT_AFTER => {
            CALL_STAGE.set(CallStage::Counted(processor_time()));
        }
        CallStage::Counted(began) if processor_time().saturating_sub(began) > CALL_CPU_DEADLINE => {
            return Some(Dynamic::from(format!(
                "took longer than {} ms",
                CALL_CPU_DEADLINE.as_millis()
            )));
        }
        CallStage::Began(_) | CallStage::Counted(_) => {}
    }
    None
}

/// The processor time of this thread.
pub fn processor_time() -> Duration {
    time_of(rustix::time::ClockId::ThreadCPUTime)
}

/// The time of the machine, from no fixed beginning.
pub fn machine_time() -> Duration {
    time_of(rustix::time::ClockId::Monotonic)
}

pub fn time_of(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
