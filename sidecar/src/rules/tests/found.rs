//! Findings of a run, as tests compare them.

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::{Evaluator, TracedRead};
use crate::stream::change::RuleInput;

pub fn run(evaluator: &mut Evaluator, inputs: &[RuleInput]) -> Vec<Finding> {
    let mut out = Vec::new();
    inputs
        .iter()
        .for_each(|input| evaluator.evaluate(input, &mut out));
    out
}

/// `rule account item` of each violation.
pub fn violations(found: &[Finding]) -> Vec<String> {
    let said = found
        .iter()
        .filter(|f| f.outcome == FindingOutcome::Violation);
    said.map(|f| format!("{} {} {}", f.rule.id, f.account, f.item))
        .collect()
}

pub fn reads(finding: &Finding) -> Vec<String> {
    let detail = finding.detail.as_ref().unwrap();
    let word = |r: &TracedRead| {
        format!(
            "{}|{}={}",
            r.of,
            r.name,
            r.value.as_deref().unwrap_or("NULL")
        )
    };
    detail.reads.iter().map(word).collect()
}

pub fn inputs(finding: &Finding) -> Vec<String> {
    let detail = finding.detail.as_ref().unwrap();
    detail
        .inputs
        .iter()
        .map(|i| format!("{} {}", i.position, i.what))
        .collect()
}
