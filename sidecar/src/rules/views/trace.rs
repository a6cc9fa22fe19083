//! The trace of reads that a rule made before it spoke. Reads are noted only while a call that has
//! found something is made a second time: evaluation is deterministic, so it reads
//! the same, and silent calls pay nothing.

use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Most reads that one verdict keeps, and their bytes: `guard` stores them.
const MAX_READS: usize = 200;
const MAX_READS_BYTES: usize = 64 * 1024;
/// Longest value of one read, in characters.
const MAX_VALUE_CHARS: usize = 1_000;

/// Everything that a rule looked at: the reason for its word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingDetail {
    /// The inputs of the call, in the order of its arguments.
    pub inputs: Vec<TracedInput>,
    /// In the order in which they were read, each once.
    pub reads: Vec<TracedRead>,
    /// The rule's own parameters.
    pub params: BTreeMap<String, String>,
    /// More was read than is kept.
    pub cut: bool,
}

/// One input of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TracedInput {
    /// GTID, or topic/partition/offset; of a watermark, its source.
    pub position: String,
    /// `row 3: orders insert`, `event deposit.received e-1`, `passed 1763719577000000`, …
    pub what: String,
}

/// One value that a rule asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TracedRead {
    /// The position of the input that was read; empty for a value that is no input's.
    pub position: String,
    /// `row 3: orders insert, after`; `event deposit.received e-1`; `transaction`; …
    pub of: String,
    /// A column, a field, or how a sum was asked for.
    pub name: String,
    /// As text, so that amounts stay exact; `None` for NULL or nothing.
    pub value: Option<String>,
}

#[derive(Default)]
struct TraceBuffer {
    reads: Vec<TracedRead>,
    bytes: usize,
    cut: bool,
}

thread_local! {
    static IS_TRACING: Cell<bool> = const { Cell::new(false) };
    static TRACE_BUFFER: RefCell<TraceBuffer> = RefCell::default();
}

/// Whether reads are noted now.
pub fn is_tracing() -> bool {
    IS_TRACING.get()
}

/// Notes a read, if anybody wants to know.
pub fn note(read: impl FnOnce() -> TracedRead) {
    if !IS_TRACING.get() {
        return;
    }
    let mut read = read();
    if let Some(value) = &mut read.value
        && value.len() > MAX_VALUE_CHARS
    {
        *value = value.chars().take(MAX_VALUE_CHARS).collect();
    }
    TRACE_BUFFER.with_borrow_mut(|noted| {
        if noted.reads.contains(&read) {
            return;
        }
        let bytes = read.position.len()
            + read.of.len()
            + read.name.len()
            + read.value.as_ref().map_or(0, String::len);
        if noted.reads.len() == MAX_READS || noted.bytes + bytes > MAX_READS_BYTES {
            noted.cut = true;
            return;
        }
        noted.bytes += bytes;
        noted.reads.push(read);
    });
}

/// Notes what `call` reads: the reads, and whether there were more than are kept.
pub fn trace_reads(call: impl FnOnce()) -> (Vec<TracedRead>, bool) {
    TRACE_BUFFER.with_borrow_mut(|noted| *noted = TraceBuffer::default());
    IS_TRACING.set(true);
    call();
    IS_TRACING.set(false);
    let noted = TRACE_BUFFER.take();
    (noted.reads, noted.cut)
}
