//! The story's result: a table for people, `demo.json` for programs.

use crate::checks::{Counts, Invariants};
use crate::faults::{Kind, act::Seen};
use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// Milliseconds with two decimals.
#[derive(Debug, Clone, Serialize)]
pub struct Times {
    pub p50: f64,
    pub p99: f64,
}

impl Times {
    pub fn of(microseconds: &Histogram<u64>) -> Self {
        Times {
            p50: ms(microseconds.value_at_quantile(0.5)),
            p99: ms(microseconds.value_at_quantile(0.99)),
        }
    }
}

/// Microseconds as milliseconds: a time, never money.
#[allow(clippy::float_arithmetic)]
pub fn ms(us: u64) -> f64 {
    (us / 10) as f64 / 100.0
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub accepted: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub returned: u64,
    /// Orders without a clear end: in doubt, or any other that isn't at its end.
    pub in_doubt: u64,
    pub false_positives: u64,
    pub invariants: Invariants,
    pub faults: Vec<Seen>,
    pub accept_ms: Times,
    pub fence_ms: Times,
}

impl Report {
    pub fn new(
        counts: Counts,
        invariants: Invariants,
        faults: Vec<Seen>,
        accept: Times,
        fence: Times,
    ) -> Self {
        Report {
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
            && self.faults.len() == Kind::ALL.len()
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

pub fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, serde_json::to_string_pretty(value)? + "\n")
        .with_context(|| format!("can't write {}", path.display()))
}

/// One line per fault, as it is seen.
pub fn fault_line(kind: Kind, seen: &Seen) -> String {
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
