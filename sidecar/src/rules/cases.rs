//! Runs the cases beside each rule. Rhai can't check calls while it compiles, so a
//! rule without cases is a rule that nobody has ever run.

use super::evaluate::Evaluator;
use super::files::Files;
use super::header::OneOrMany;
use super::load::{LoadError, LoadErrors, RuleSet};
use super::timeline::{Case, CasesFile, Expected};
use super::{Finding, Outcome};
use sluice_contract::settings::Secret;
use std::path::Path;
use std::sync::Arc;

/// Signs the transactions of cases, which never leave this process.
const CASES_KEY: &str = "a key for cases only";
/// A rule must be seen to fire and to keep silent.
const FEWEST_CASES: usize = 2;

/// How one case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    pub rule: String,
    pub case: String,
    pub passed: bool,
    /// Empty if it passed.
    pub detail: String,
}

/// Runs every `*.cases.toml` of `dir` against the rule of the same name.
pub fn run_cases(dir: &Path) -> Result<Vec<CaseResult>, LoadErrors> {
    // Says what is wrong with an empty folder, too.
    RuleSet::load(dir, Secret::new(CASES_KEY))?;
    run_cases_of(&Files::read(dir).map_err(|e| LoadErrors(vec![e]))?)
}

/// As `run_cases`, of files that are kept anywhere.
pub fn run_cases_of(read: &Files) -> Result<Vec<CaseResult>, LoadErrors> {
    let key = Secret::new(CASES_KEY);
    let set = Arc::new(RuleSet::build(read, key.clone())?);
    let wrong = |file: String, cause: String| LoadError { file, cause, next: "correct the cases file" };
    let no_rule = |name: &String| {
        let rule = name.trim_end_matches(".cases.toml");
        wrong(name.clone(), format!("there is no rule {rule}.rhai"))
    };
    let mut errors: Vec<LoadError> = read.orphans.iter().map(no_rule).collect();
    let mut files = Vec::new();
    for file in read.rules.iter().filter(|file| !file.cases.is_empty()) {
        match toml::from_str::<CasesFile>(&file.cases) {
            Ok(cases) => files.push((file.id.clone(), cases)),
            Err(e) => errors.push(wrong(format!("{}.cases.toml", file.id), e.to_string().trim_end().to_owned())),
        }
    }
    if !errors.is_empty() {
        return Err(LoadErrors(errors));
    }
    let mut results: Vec<CaseResult> = Vec::new();
    for header in set.rules() {
        let cases: Vec<&Case> =
            files.iter().filter(|(rule, _)| *rule == header.id).flat_map(|(_, f)| &f.case).collect();
        results.extend(cases.iter().map(|case| run_case(&set, &header.id, case, &key)));
        results.extend(coverage(&header.id, &cases));
    }
    Ok(results)
}

/// A failed result for a rule that is hardly tried.
fn coverage(rule: &str, cases: &[&Case]) -> Option<CaseResult> {
    let fires = cases.iter().any(|c| c.expect.iter().any(|e| !e.undetermined));
    let silent = cases.iter().any(|c| c.expect.is_empty());
    let detail = match (cases.len(), fires, silent) {
        (count, ..) if count < FEWEST_CASES => {
            format!("has {count} cases, needs {FEWEST_CASES}: write {rule}.cases.toml")
        }
        (_, false, _) => "no case in which it fires".to_owned(),
        (_, _, false) => "no case in which it keeps silent".to_owned(),
        _ => return None,
    };
    Some(CaseResult { rule: rule.to_owned(), case: "coverage".to_owned(), passed: false, detail })
}

fn run_case(set: &Arc<RuleSet>, rule: &str, case: &Case, key: &Secret) -> CaseResult {
    let detail = match evaluate(set, rule, case, key) {
        Ok(found) => compare(&found, &case.expect),
        Err(wrong) => Some(wrong),
    };
    CaseResult {
        rule: rule.to_owned(),
        case: case.name.clone(),
        passed: detail.is_none(),
        detail: detail.unwrap_or_default(),
    }
}

/// What the rule under test finds; other rules' findings don't count.
fn evaluate(set: &Arc<RuleSet>, rule: &str, case: &Case, key: &Secret) -> Result<Vec<Finding>, String> {
    let mut evaluator = Evaluator::with_drafts(Arc::clone(set));
    let mut found = Vec::new();
    for (number, step) in case.step.iter().enumerate() {
        for input in step.inputs(number + 1, key)? {
            evaluator.evaluate(&input, &mut found);
        }
    }
    found.retain(|f| f.rule.id == rule);
    Ok(found)
}

/// Each expected finding must come once, in order, and no other.
fn compare(found: &[Finding], expected: &[Expected]) -> Option<String> {
    for (at, pair) in expected.iter().enumerate() {
        match found.get(at) {
            None => return Some(format!("finding {} did not come; expected {pair:?}", at + 1)),
            Some(finding) => {
                if let Some(difference) = difference(finding, pair) {
                    return Some(format!("finding {}: {difference}", at + 1));
                }
            }
        }
    }
    let more = found.get(expected.len())?;
    Some(format!("came unexpected: {:?} on {} {}: {}", more.outcome, more.account, more.item, more.message))
}

fn difference(finding: &Finding, expected: &Expected) -> Option<String> {
    let differs = |what: &str, want: &Option<String>, got: &str| {
        let want = want.as_ref().filter(|want| want.as_str() != got)?;
        Some(format!("{what} is {got:?}, expected {want:?}"))
    };
    let outcome = if expected.undetermined { Outcome::Undetermined } else { Outcome::Violation };
    if finding.outcome != outcome {
        return Some(format!("is {:?} ({}), expected {outcome:?}", finding.outcome, finding.message));
    }
    if let Some(part) = expected.message.as_ref().filter(|part| !finding.message.contains(part.as_str())) {
        return Some(format!("message is {:?}, expected {part:?} in it", finding.message));
    }
    differs("account", &expected.account, &finding.account)
        .or_else(|| differs("item", &expected.item, &finding.item))
        .or_else(|| breakers_differ(finding, expected))
}

/// A single breaker must be among those that open; a list is all of them.
fn breakers_differ(finding: &Finding, expected: &Expected) -> Option<String> {
    let opened: Vec<String> = finding.breakers.iter().map(ToString::to_string).collect();
    let fits = match expected.breaker.as_ref()? {
        OneOrMany::One(wanted) => opened.contains(wanted),
        OneOrMany::Many(wanted) => opened == *wanted,
    };
    (!fits).then(|| format!("breakers are {opened:?}, expected {:?}", expected.breaker))
}
