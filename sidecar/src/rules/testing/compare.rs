//! Comparison of a case's findings with those that were expected.

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::testing::case_file::{ExpectedBreaker, ExpectedBreakerState, ExpectedFinding};
use crate::rules::text::one_or_many::OneOrMany;

/// A finding, and the case's clock when it came: the latest of all watermarks so far,
/// in milliseconds.
pub struct TimedFinding {
    pub finding: Finding,
    pub at: Option<i64>,
}

/// Tells the first breaker that is not as expected at its time.
pub fn timeline_differs(found: &[TimedFinding], expected: &[ExpectedBreaker]) -> Option<String> {
    expected.iter().find_map(|wanted| {
        let opened = |f: &&TimedFinding| {
            f.at.unwrap_or(0) <= wanted.at
                && f.finding
                    .breakers
                    .iter()
                    .any(|b| b.to_string() == wanted.key)
        };
        let state = if found.iter().any(|f| opened(&f)) {
            ExpectedBreakerState::Open
        } else {
            ExpectedBreakerState::Closed
        };
        let ExpectedBreaker {
            at,
            key,
            state: want,
        } = wanted;
        (state != *want)
            .then(|| format!("at {at} ms breaker {key} is {state:?}, expected {want:?}"))
    })
}

/// Tells the first difference: each expected finding must come once, in order, and no other.
pub fn compare(found: &[TimedFinding], expected: &[ExpectedFinding]) -> Option<String> {
    for (at, pair) in expected.iter().enumerate() {
        match found.get(at) {
            None => {
                return Some(format!(
                    "finding {} did not come; expected {pair:?}",
                    at + 1
                ));
            }
            Some(finding) => {
                if let Some(difference) = difference(finding, pair) {
                    return Some(format!("finding {}: {difference}", at + 1));
                }
            }
        }
    }
    let more = &found.get(expected.len())?.finding;
    Some(format!(
        "came unexpected: {:?} on {} {}: {}",
        more.outcome, more.account, more.item, more.message
    ))
}

fn difference(found: &TimedFinding, expected: &ExpectedFinding) -> Option<String> {
    let finding = &found.finding;
    if let Some(at) = expected.at.filter(|at| found.at != Some(*at)) {
        let came = found.at.map_or("before any watermark".to_owned(), |ms| {
            format!("at {ms} ms")
        });
        return Some(format!("came {came}, expected at {at} ms"));
    }
    let differs = |what: &str, want: &Option<String>, got: &str| {
        let want = want.as_ref().filter(|want| want.as_str() != got)?;
        Some(format!("{what} is {got:?}, expected {want:?}"))
    };
    let outcome = if expected.undetermined {
        FindingOutcome::Undetermined
    } else {
        FindingOutcome::Violation
    };
    if finding.outcome != outcome {
        return Some(format!(
            "is {:?} ({}), expected {outcome:?}",
            finding.outcome, finding.message
        ));
    }
    if let Some(part) = expected
        .message
        .as_ref()
        .filter(|part| !finding.message.contains(part.as_str()))
    {
        return Some(format!(
            "message is {:?}, expected {part:?} in it",
            finding.message
        ));
    }
    differs("account", &expected.account, &finding.account)
        .or_else(|| differs("item", &expected.item, &finding.item))
        .or_else(|| {
            differs(
                "amount",
                &expected.amount,
                &finding.amount.map(|a| a.to_string()).unwrap_or_default(),
            )
        })
        .or_else(|| breakers_differ(finding, expected))
}

/// A single breaker must be among those that open; a list is all of them.
fn breakers_differ(finding: &Finding, expected: &ExpectedFinding) -> Option<String> {
    let opened: Vec<String> = finding.breakers.iter().map(ToString::to_string).collect();
    let fits = match expected.breaker.as_ref()? {
        OneOrMany::One(wanted) => opened.contains(wanted),
        OneOrMany::Many(wanted) => opened == *wanted,
    };
    (!fits).then(|| format!("breakers are {opened:?}, expected {:?}", expected.breaker))
}
