//! A backtest's report for people.

use sluice_sidecar::backtest::BacktestReport;
use sluice_sidecar::backtest::comparison::{RuleComparison, VerdictCounts};
use sluice_sidecar::backtest::verdict::BacktestVerdict;
use sluice_sidecar::backtest::what_if::{BreakerEffects, BreakerOpening, HeldMoney};
use std::fmt::Write;

/// Openings shown; all of them are in `--json`.
const MAX_OPENINGS_SHOWN: usize = 20;

pub fn table(report: &BacktestReport, seconds: f64) -> String {
    let mut out = String::new();
    // Writing into a String can't fail.
    let _ = write_all(&mut out, report, seconds);
    out
}

fn write_all(out: &mut String, report: &BacktestReport, seconds: f64) -> std::fmt::Result {
    let seen = &report.seen;
    writeln!(
        out,
        "{} row changes in {} transactions, {} events, {} to {}, in {seconds:.1} s",
        seen.changes,
        seen.transactions,
        seen.events,
        time(seen.from_us),
        time(seen.to_us)
    )?;
    for note in &seen.notes {
        writeln!(out, "! {note}")?;
    }
    if seen.gaps > 0 {
        writeln!(
            out,
            "! {} gaps: right after them pairs are not judged, and windows reach back less",
            seen.gaps
        )?;
    }
    match &report.against {
        Some(against) => writeln!(out, "set {} against set {against}\n", report.set)?,
        None => writeln!(
            out,
            "set {}; with --against it is compared with another\n",
            report.set
        )?,
    }
    writeln!(
        out,
        "{:<30} {:<7} {:>10} {:>10} {:>8} {:>8} {:>8} {:>12}",
        "rule", "mode", "now", "then", "new", "gone", "same", "undetermined"
    )?;
    for rule in &report.rules {
        line(out, rule)?;
    }
    for rule in &report.rules {
        examples(out, "newly fired", &rule.new_examples, rule.new)?;
        examples(out, "no longer fired", &rule.gone_examples, rule.gone)?;
        if let Some(error) = &rule.error {
            writeln!(out, "\n! {} failed to evaluate: {error}", rule.rule)?;
        }
    }
    if report.not_compared > 0 {
        writeln!(
            out,
            "\n! {} more verdicts were counted but not compared",
            report.not_compared
        )?;
    }
    held(out, "this set", &report.held)?;
    if let Some(then) = &report.held_then {
        held(out, "the set compared with", then)?;
    }
    Ok(())
}

fn line(out: &mut String, rule: &RuleComparison) -> std::fmt::Result {
    let count = |fired: &VerdictCounts| fired.violations.to_string();
    writeln!(
        out,
        "{:<30} {:<7} {:>10} {:>10} {:>8} {:>8} {:>8} {:>12}",
        rule.rule,
        if rule.mode.is_empty() {
            "gone"
        } else {
            rule.mode
        },
        count(&rule.now),
        rule.then.as_ref().map_or_else(|| "-".to_owned(), count),
        rule.new,
        rule.gone,
        rule.same,
        rule.now.undetermined
    )
}

fn examples(out: &mut String, what: &str, shown: &[BacktestVerdict], all: u64) -> std::fmt::Result {
    let Some(first) = shown.first() else {
        return Ok(());
    };
    writeln!(out, "\n{what}: {} ({all})", first.rule)?;
    for verdict in shown {
        writeln!(
            out,
            "  {} {} {}: {}",
            verdict.position, verdict.account_id, verdict.outcome, verdict.message
        )?;
    }
    Ok(())
}

fn held(out: &mut String, whose: &str, held: &BreakerEffects) -> std::fmt::Result {
    let openings = held.openings.len() as u64 + held.unlisted;
    writeln!(
        out,
        "\nbreakers of {whose}: opened {openings} times, would have held {}",
        money(&held.held)
    )?;
    if !held.exact {
        writeln!(out, "! so many orders that some may count twice")?;
    }
    for opening in held.openings.iter().take(MAX_OPENINGS_SHOWN) {
        one(out, opening)?;
    }
    if openings > MAX_OPENINGS_SHOWN as u64 {
        writeln!(out, "  … and {} more", openings - MAX_OPENINGS_SHOWN as u64)?;
    }
    Ok(())
}

fn one(out: &mut String, opening: &BreakerOpening) -> std::fmt::Result {
    let seconds = opening.until_us.saturating_sub(opening.from_us) / 1_000_000;
    let closed = match opening.closed_by {
        "person" => "until a person closed it",
        "resume" => "until --resume-after",
        _ => "to the end",
    };
    writeln!(
        out,
        "  {} by {} at {}, {seconds} s {closed}: {}, the longest {} s",
        opening.breaker,
        opening.rule,
        time(opening.from_us),
        money(&opening.held),
        opening.longest_us / 1_000_000
    )
}

fn money(money: &HeldMoney) -> String {
    if money.is_empty() {
        return "no order".to_owned();
    }
    let one = |(currency, sum): (&String, &sluice_sidecar::backtest::what_if::HeldSum)| {
        format!(
            "{} orders of {} {currency}",
            sum.orders,
            sum.amount.normalize()
        )
    };
    money.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn time(at_us: i64) -> String {
    match jiff::Timestamp::from_microsecond(at_us) {
        Ok(at) if at_us > 0 => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        _ => "an unknown time".to_owned(),
    }
}
