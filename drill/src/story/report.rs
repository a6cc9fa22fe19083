//! The story's result: a table for people, `demo.json` for programs.

use crate::checks::{Invariants, StateCounts};
use crate::faults::FaultKind;
use crate::faults::injection::FaultOutcome;
use crate::output::json::write_json;
use crate::output::latency::{LatencyMs, ms};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

#[derive(Debug, Serialize)]
pub struct StoryReport {
    pub accepted: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub returned: u64,
    /// Orders without a clear end: in doubt, or any other that isn't at its end.
    pub in_doubt: u64,
    pub false_positives: u64,
    pub invariants: Invariants,
    pub faults: Vec<FaultOutcome>,
    pub accept_ms: LatencyMs,
    pub fence_ms: LatencyMs,
}

impl StoryReport {
    pub fn new(
        counts: StateCounts,
        invariants: Invariants,
        faults: Vec<FaultOutcome>,
        accept: LatencyMs,
        fence: LatencyMs,
    ) -> Self {
        StoryReport {
            accepted: counts.total(),
            succeeded: counts.of("success"),
            failed: counts.of("failed"),
            returned: counts.of("returned"),
            in_doubt: counts.unfinished(),
            false_positives: counts.false_positives,
            invariants,
            faults,
            accept_ms: accept,
            fence_ms: fence,
        }
    }

    /// Whether everything that the story promises held.
    pub fn held(&self) -> bool {
        let stopped = self.faults.iter().all(|f| f.detected && f.leaked.is_zero());
        stopped
            && self.faults.len() == FaultKind::ALL.len()
            && self.false_positives == 0
            && self.in_doubt == 0
            && self.invariants.all_hold()
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        write_json(path, self)
    }

    /// The summary as a person reads it.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing into a String can't fail.
        let _ = writeln!(
            text,
            "\n{:<20} {:<26} {:<38} {:>9} {:>7}",
            "fault", "found by rule", "breaker", "after ms", "leaked"
        );
        for fault in &self.faults {
            let after = fault.detect_ms.map_or("not found".to_owned(), |t| {
                format!("{:.1}", ms(t.as_micros() as u64))
            });
            let _ = writeln!(
                text,
                "{:<20} {:<26} {:<38} {:>9} {:>7}",
                fault.kind, fault.rule, fault.breaker, after, fault.leaked
            );
        }
        let _ = writeln!(
            text,
            "(a deposit's event may come 2 s late: until then the account's money is held, so nothing leaves)"
        );
        let _ = writeln!(
            text,
            "\n{} orders accepted: {} paid, {} failed, {} returned, {} without an end; {} false alarms",
            self.accepted,
            self.succeeded,
            self.failed,
            self.returned,
            self.in_doubt,
            self.false_positives
        );
        let _ = writeln!(
            text,
            "accepting took {} ms (p99 {}), the fence adds {} ms (p99 {})",
            self.accept_ms.p50, self.accept_ms.p99, self.fence_ms.p50, self.fence_ms.p99
        );
        let mark = |held: bool| if held { "✔" } else { "✘" };
        let _ = writeln!(
            text,
            "{} paid at most once   {} ledger balanced   {} balances match ledger   {} channels' books match   \
             {} no payment exceeded   {} totals match orders",
            mark(self.invariants.paid_at_most_once),
            mark(self.invariants.ledger_balanced),
            mark(self.invariants.balances_match_ledger),
            mark(self.invariants.channel_book_matches),
            mark(self.invariants.payments_not_exceeded),
            mark(self.invariants.totals_match_orders)
        );
        for problem in &self.invariants.problems {
            let _ = writeln!(text, "  ✘ {problem}");
        }
        text
    }
}

/// One line per fault, as it is seen.
pub fn fault_line(kind: FaultKind, seen: &FaultOutcome) -> String {
    match seen.detect_ms {
        Some(after) => format!(
            "{}: found by {} after {:.1} ms, {} open, {} left",
            kind.as_str(),
            seen.rule,
            ms(after.as_micros() as u64),
            seen.breaker,
            seen.leaked
        ),
        None => format!("{}: NOT found, {} left", kind.as_str(), seen.leaked),
    }
}
