//! Undetermined findings: a rule failed, or nobody can know. Never a violation, never
//! silence.

use crate::rules::runtime::finding::{Finding, FindingOutcome, RuleError};
use crate::rules::runtime::make_finding::{FindingText, breakers_of, finding, not_known};
use crate::rules::runtime::rule_call::{CallFailure, MAX_ERRORS, RuleRun};
use crate::rules::views::trace::FindingDetail;
use std::sync::Arc;

impl RuleRun<'_> {
    /// The rule can't say: once per rule and input, so that a rule that fails at
    /// every row does not flood anybody.
    pub fn undetermined(&mut self, rule: usize, message: &str, position: &Arc<str>, account: &str) {
        let Some(failed) = self.set.rules.get(rule) else {
            return;
        };
        self.error(rule, message);
        if !self.failed.iter().any(|(r, _)| *r == rule) {
            self.failed.push((rule, false));
            let text = FindingText {
                function: "error",
                item: "error",
                message,
            };
            self.out.push(finding(
                failed,
                FindingOutcome::Undetermined,
                position,
                &text,
                account.to_owned(),
            ));
        }
    }

    /// For the log and the alert on failing rules.
    pub fn error(&mut self, rule: usize, message: &str) {
        let Some(failed) = self.set.rules.get(rule) else {
            return;
        };
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(RuleError {
                rule: failed.header.id.clone(),
                message: message.to_owned(),
            });
        }
    }

    /// Nothing can be said, and the rule did nothing wrong: once per rule and input.
    pub fn unknown(&mut self, rule: usize, message: &str, position: &Arc<str>, account: &str) {
        let Some(about) = self.set.rules.get(rule) else {
            return;
        };
        if !self.said_unknown.contains(&rule) {
            self.said_unknown.push(rule);
            self.out.push(not_known(about, message, position, account));
        }
    }

    /// Likewise, of money that nobody will check any more: what a rule in mode trip would
    /// stop for it is stopped (decision 003). The caller bounds how often.
    pub fn unchecked(&mut self, rule: usize, message: &str, position: &Arc<str>, account: &str) {
        let Some(about) = self.set.rules.get(rule) else {
            return;
        };
        let found = not_known(about, message, position, account);
        self.out.push(Finding {
            breakers: breakers_of(about, account),
            ..found
        });
    }

    /// A call gave no answer. Money that a trip rule could not check must not leave
    /// (promise 5), so the breaker opens: the account's, if this was the only
    /// failure; everybody's once it fails on a second account or hits a limit,
    /// since the rest of the input is then not checked either.
    pub(super) fn fail(
        &mut self,
        rule: usize,
        failure: CallFailure,
        position: &Arc<str>,
        account: &str,
        detail: &Arc<FindingDetail>,
    ) {
        let Some(failed) = self.set.rules.get(rule) else {
            return;
        };
        let before = self.failed.iter().any(|(r, _)| *r == rule);
        let account = if before || failure.stopped {
            ""
        } else {
            account
        };
        if self.failed.contains(&(rule, true)) {
            return;
        }
        self.error(rule, &failure.message);
        let text = FindingText {
            function: "error",
            item: "error",
            message: &failure.message,
        };
        let found = finding(
            failed,
            FindingOutcome::Undetermined,
            position,
            &text,
            account.to_owned(),
        );
        let detail = Some(Arc::clone(detail));
        self.out.push(Finding {
            breakers: breakers_of(failed, account),
            detail,
            ..found
        });
        // After a failure that spoke for everybody, more of them say nothing new.
        self.failed.push((rule, account.is_empty()));
    }
}
