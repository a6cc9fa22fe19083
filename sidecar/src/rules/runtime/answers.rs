//! Answers of a call become findings.

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::runtime::make_finding::{FindingText, breakers_of, finding};
use crate::rules::runtime::rule_call::{CallFailure, RuleRun};
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::views::trace::FindingDetail;
use crate::rules::views::violation::Violation;
use rhai::Dynamic;
use std::sync::Arc;

impl RuleRun<'_> {
    /// Adds a violation, or an array of them; those before a wrong element count.
    pub(super) fn find(
        &mut self,
        rule: &CompiledRule,
        function: &str,
        answer: Dynamic,
        position: &Arc<str>,
        detail: &Arc<FindingDetail>,
    ) -> Result<(), CallFailure> {
        let wrong = |what: &Dynamic| CallFailure {
            message: format!(
                "answered {} instead of (), a violation(…) or an array of them",
                what.type_name()
            ),
            stopped: false,
        };
        let answers = if answer.is_array() {
            answer.into_array().unwrap_or_default()
        } else {
            vec![answer]
        };
        for answer in answers {
            let violation = answer
                .try_cast_result::<Violation>()
                .map_err(|other| wrong(&other))?;
            let account = violation.account.to_string();
            let breakers = breakers_of(rule, &account);
            let text = FindingText {
                function,
                item: &violation.item,
                message: &violation.message,
            };
            let found = finding(rule, FindingOutcome::Violation, position, &text, account);
            self.out.push(Finding {
                breakers,
                amount: violation.amount,
                detail: Some(Arc::clone(detail)),
                ..found
            });
        }
        Ok(())
    }
}
