//! Runs the cases beside each rule. Rhai can't check calls while it compiles, so a
//! rule without cases is a rule that nobody has ever run.

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::testing::timeline::{
    CasesFile, ExpectedBreaker, ExpectedBreakerState, ExpectedFinding, RuleCase,
};
use crate::rules::text::error::{LoadError, LoadErrors};
use crate::rules::text::files::RuleFiles;
use crate::rules::text::one_or_many::OneOrMany;
use sluice_contract::settings::Secret;
use std::path::Path;
use std::sync::Arc;

/// Signs the transactions of cases, which never leave this process.
const CASES_PROVENANCE_KEY: &str = "a key for cases only";
/// A rule must be seen to fire and to keep silent.
const MIN_CASES: usize = 2;

/// How one case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCaseResult {
    pub rule: String,
    pub case: String,
    pub passed: bool,
    /// Empty if it passed.
    pub detail: String,
}

/// Runs every `*.cases.toml` of `dir` against the rule of the same name.
pub fn run_cases(dir: &Path) -> Result<Vec<RuleCaseResult>, LoadErrors> {
    let files = RuleFiles::read(dir).map_err(|e| LoadErrors(vec![e]))?;
    if files.rules.is_empty() {
        RuleSet::load(dir, key())?;
    }
    run_cases_of(&files)
}

/// Runs the cases of all rules of a set, wherever it is kept.
pub fn run_cases_of(files: &RuleFiles) -> Result<Vec<RuleCaseResult>, LoadErrors> {
    run_all(&Arc::new(RuleSet::build(files, key())?), files)
}

/// What cases are signed with.
pub fn key() -> Secret {
    Secret::new(CASES_PROVENANCE_KEY)
}

/// Runs the cases of `files` against `set`, which was built of them.
pub fn run_all(set: &Arc<RuleSet>, files: &RuleFiles) -> Result<Vec<RuleCaseResult>, LoadErrors> {
    let wrong = |file: String, cause: String| LoadError {
        file,
        cause,
        next: "correct the cases file",
    };
    let no_rule = |name: &String| {
        let rule = name.trim_end_matches(".cases.toml");
        wrong(name.clone(), format!("there is no rule {rule}.rhai"))
    };
    let mut errors: Vec<LoadError> = files.orphans.iter().map(no_rule).collect();
    let mut cases: Vec<Vec<RuleCase>> = Vec::new();
    for file in &files.rules {
        let parsed = match file.cases.is_empty() {
            true => Ok(CasesFile { case: Vec::new() }),
            false => toml::from_str::<CasesFile>(&file.cases),
        };
        match parsed {
            Ok(parsed) => cases.push(parsed.case),
            Err(e) => errors.push(wrong(
                format!("{}.cases.toml", file.id),
                e.to_string().trim_end().to_owned(),
            )),
        }
    }
    if !errors.is_empty() {
        return Err(LoadErrors(errors));
    }
    let mut results: Vec<RuleCaseResult> = Vec::new();
    for (rule, (header, cases)) in set.rules().zip(&cases).enumerate() {
        results.extend(
            cases
                .iter()
                .map(|case| run_case(set, rule, &header.id, case)),
        );
        results.extend(too_few_cases(&header.id, cases));
    }
    Ok(results)
}

/// A failed result for a rule that is hardly tried.
fn too_few_cases(rule: &str, cases: &[RuleCase]) -> Option<RuleCaseResult> {
    let fires = cases
        .iter()
        .any(|c| c.expect.iter().any(|e| !e.undetermined));
    let silent = cases.iter().any(|c| c.expect.is_empty());
    let detail = match (cases.len(), fires, silent) {
        (count, ..) if count < MIN_CASES => {
            format!("has {count} cases, needs {MIN_CASES}: write {rule}.cases.toml")
        }
        (_, false, _) => "no case in which it fires".to_owned(),
        (_, _, false) => "no case in which it keeps silent".to_owned(),
        _ => return None,
    };
    Some(RuleCaseResult {
        rule: rule.to_owned(),
        case: "coverage".to_owned(),
        passed: false,
        detail,
    })
}

fn run_case(set: &Arc<RuleSet>, rule: usize, id: &str, case: &RuleCase) -> RuleCaseResult {
    let detail = match evaluate(set, rule, case) {
        Ok(found) => {
            compare(&found, &case.expect).or_else(|| timeline_differs(&found, &case.breaker))
        }
        Err(wrong) => Some(wrong),
    };
    RuleCaseResult {
        rule: id.to_owned(),
        case: case.name.clone(),
        passed: detail.is_none(),
        detail: detail.unwrap_or_default(),
    }
}

/// A finding, and the case's clock when it came: the latest of all watermarks so far,
/// in milliseconds.
struct TimedFinding {
    finding: Finding,
    at: Option<i64>,
}

/// What the rule under test finds.
fn evaluate(set: &Arc<RuleSet>, rule: usize, case: &RuleCase) -> Result<Vec<TimedFinding>, String> {
    let mut evaluator = Evaluator::of_one(Arc::clone(set), rule);
    let key = key();
    let mut found = Vec::new();
    let mut at = None;
    for (number, step) in case.step.iter().enumerate() {
        at = at.max(step.clock());
        let mut new = Vec::new();
        for input in step.inputs(number + 1, &key)? {
            evaluator.evaluate(&input, &mut new);
        }
        found.extend(new.into_iter().map(|finding| TimedFinding { finding, at }));
    }
    Ok(found)
}

/// Whether each breaker is as expected at its time.
fn timeline_differs(found: &[TimedFinding], expected: &[ExpectedBreaker]) -> Option<String> {
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

/// Each expected finding must come once, in order, and no other.
fn compare(found: &[TimedFinding], expected: &[ExpectedFinding]) -> Option<String> {
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
