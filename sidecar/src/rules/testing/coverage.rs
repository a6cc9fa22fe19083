//! Coverage of a rule: branches that its cases have seen both ways. Rhai can't check what it
//! never runs: a branch that no case enters may hold anything.

use crate::rules::instrument::copy::CodeBranch;
use crate::rules::instrument::counters::instrument;
use crate::rules::runtime::engine;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::script::library::{COVER_CONDITION_FN, COVER_ENTERED_FN};
use crate::rules::testing::cases;
use crate::rules::text::error::LoadErrors;
use crate::rules::text::files::{RuleFile, RuleFiles};
use crate::rules::views::values::{RhaiResult, fail};
use rhai::Engine;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The part of a file that the cases have seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleCoverage {
    /// Outcomes that there are: two for a condition, one for what is entered.
    pub branches: usize,
    pub missing: Vec<UncoveredBranch>,
}

/// An outcome that no case brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncoveredBranch {
    /// 0 if the file can't be run at all.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for UncoveredBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl RuleCoverage {
    /// Outcomes seen, in percent, rounded down: 100 only if nothing is missing.
    pub fn percent(&self) -> usize {
        let seen = self.branches.saturating_sub(self.missing.len());
        (seen * 100).checked_div(self.branches).unwrap_or(0)
    }
}

/// Measures how much the cases of one rule see of it. A rule that can't be loaded or whose cases
/// can't be read has that as what is missing.
pub fn of(file: &RuleFile, lib: &[(String, String)]) -> RuleCoverage {
    let files = RuleFiles {
        rules: vec![file.clone()],
        lib: lib.to_vec(),
        orphans: Vec::new(),
    };
    let measured =
        measure(&files).map(|mut all| all.remove(&format!("{}.rhai", file.id)).unwrap_or_default());
    measured.unwrap_or_else(|errors| RuleCoverage {
        branches: 1,
        missing: vec![UncoveredBranch {
            line: 0,
            what: errors.to_string(),
        }],
    })
}

/// Times that each branch was passed: true or entered, and false.
type BranchCounts = Arc<Mutex<Vec<[u64; 2]>>>;

/// Measures how much all cases see of every file of a set, the library's too, by file name.
pub fn measure(files: &RuleFiles) -> Result<BTreeMap<String, RuleCoverage>, LoadErrors> {
    let counts = BranchCounts::default();
    let known: Mutex<BTreeMap<String, (usize, Vec<CodeBranch>)>> = Mutex::default();
    let set = RuleSet::build_with(counting(&counts), files, cases::verifier(), |name, text| {
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let first = counts.len();
        let (branches, copy) = instrument(text, first);
        counts.resize(first + branches.len(), [0; 2]);
        known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), (first, branches));
        Ok(copy)
    })?;
    cases::run_all(&Arc::new(set), files)?;
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(known
        .into_iter()
        .map(|(name, (first, branches))| (name, coverage_of_counts(&branches, &counts[first..])))
        .collect())
}

fn coverage_of_counts(branches: &[CodeBranch], counts: &[[u64; 2]]) -> RuleCoverage {
    let mut coverage = RuleCoverage::default();
    for (branch, [yes, no]) in branches.iter().zip(counts) {
        let mut outcome = |seen: u64, how: &str| {
            coverage.branches += 1;
            if seen == 0 {
                let what = format!("`{}` was never {how}", branch.text);
                coverage.missing.push(UncoveredBranch {
                    line: branch.line,
                    what,
                });
            }
        };
        match branch.both_ways {
            true => {
                outcome(*yes, "true");
                outcome(*no, "false");
            }
            false => outcome(*yes, "entered"),
        }
    }
    coverage.missing.sort_by_key(|missing| missing.line);
    coverage
}

/// An engine whose counters count.
fn counting(counts: &BranchCounts) -> Engine {
    let mut engine = engine::build();
    let (conditions, entered) = (Arc::clone(counts), Arc::clone(counts));
    engine.register_fn(
        COVER_CONDITION_FN,
        move |branch: i64, is: bool| -> RhaiResult<bool> {
            count(&conditions, branch, usize::from(!is))?;
            Ok(is)
        },
    );
    engine.register_fn(COVER_ENTERED_FN, move |branch: i64| {
        count(&entered, branch, 0)
    });
    engine
}

fn count(counts: &BranchCounts, branch: i64, outcome: usize) -> RhaiResult<()> {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    match usize::try_from(branch)
        .ok()
        .and_then(|at| counts.get_mut(at))
    {
        Some(count) => {
            count[outcome] += 1;
            Ok(())
        }
        None => fail(format!("there is no branch {branch}")),
    }
}
