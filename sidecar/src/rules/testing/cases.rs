//! Runs the cases beside each rule. Rhai can't check calls while it compiles, so a
//! rule without cases is a rule that nobody has ever run.

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::testing::case_file::{CasesFile, RuleCase};
use crate::rules::testing::compare::{TimedFinding, compare, timeline_differs};
use crate::rules::text::error::{LoadError, LoadErrors};
use crate::rules::text::files::RuleFiles;
use sluice_contract::provenance::TransactionVerifier;
use sluice_contract::settings::Secret;
use sluice_contract::transaction_key::TransactionPublicKey;
use std::path::Path;
use std::sync::Arc;

/// Signs the transactions of cases, which never leave this process.
const CASES_PROVENANCE_KEY: &str = "a key for cases only";
const CASES_PUBLIC_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// A rule must be seen to fire and to keep silent.
const MIN_CASES: usize = 2;

/// The result of one case.
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
        RuleSet::load(dir, verifier())?;
    }
    run_cases_of(&files)
}

/// Runs the cases of all rules of a set, wherever it is kept.
pub fn run_cases_of(files: &RuleFiles) -> Result<Vec<RuleCaseResult>, LoadErrors> {
    run_all(&Arc::new(RuleSet::build(files, verifier())?), files)
}

/// The key with which cases are signed.
pub fn key() -> Secret {
    Secret::new(CASES_PROVENANCE_KEY)
}

/// Keys that cases are verified with: MACs of the key above, and a public key of nobody, so
/// that a case can tell of a signature by another one.
pub fn verifier() -> TransactionVerifier {
    let public = TransactionPublicKey::parse_all(CASES_PUBLIC_KEY).unwrap_or_default();
    TransactionVerifier::new(public, Some(key().into()))
}

/// Runs the cases of `files` against `set`, which was built of them.
pub fn run_all(set: &Arc<RuleSet>, files: &RuleFiles) -> Result<Vec<RuleCaseResult>, LoadErrors> {
    let cases = parse_all(files)?;
    let mut results: Vec<RuleCaseResult> = Vec::new();
    for (rule, (header, cases)) in set.rules().zip(&cases).enumerate() {
        let run = cases
            .iter()
            .map(|case| run_case(set, rule, &header.id, case));
        results.extend(run);
        results.extend(too_few_cases(&header.id, cases));
    }
    Ok(results)
}

/// The cases of each rule, in the order of the rules.
fn parse_all(files: &RuleFiles) -> Result<Vec<Vec<RuleCase>>, LoadErrors> {
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
    if errors.is_empty() {
        Ok(cases)
    } else {
        Err(LoadErrors(errors))
    }
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

/// Findings of the rule under test.
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
