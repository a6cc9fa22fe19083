//! Confirmation: a suspect is read again, in a later snapshot, before anything is said of it.
//!
//! On one server that second snapshot is proof: it shows one commit. With the books
//! apart it is proof only if nothing of the account was under way while it was taken:
//! no booking that is made in one place and not yet in the other, and no balance that
//! moved. Otherwise it is looked at once more, and in the end left undecided. Entries are
//! compared with nothing, and need no such look.

use crate::audit::read::{AuditReader, AuditReading, MAX_ACCOUNTS_PER_READ};
use crate::rules::runtime::finding::{Finding, RuleError};
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::audit_run::{judge_facts, suspect_accounts, undetermined};
use crate::stream::change::AuditSubject;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Looks at an account that does not stand still, and the pause between two: about
/// five seconds, longer than a booking takes while everything is well.
const MAX_LOOKS: u32 = 20;
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Findings that are still wrong, each with a position at or after which it was.
#[derive(Default)]
pub struct ConfirmedFindings {
    pub findings: Vec<(Finding, String)>,
    pub errors: Vec<RuleError>,
}

/// Reads suspects once more and keeps what is still wrong.
///
/// # Errors
/// A server did not answer.
pub async fn confirm(
    reader: &mut AuditReader,
    rules: &Arc<RuleSet>,
    of: AuditSubject,
    split_books: bool,
    accounts: BTreeSet<String>,
) -> anyhow::Result<ConfirmedFindings> {
    let mut confirmed = ConfirmedFindings::default();
    let accounts: Vec<String> = accounts.into_iter().collect();
    for some in accounts.chunks(MAX_ACCOUNTS_PER_READ) {
        if needs_stillness(of, split_books) {
            confirm_split_books(reader, rules, of, some.to_vec(), &mut confirmed).await?;
        } else {
            let position = reader.position().await?;
            let reading = reader.these(of, some).await?;
            confirmed.judge(rules, of, reading, &position, |_| true);
        }
    }
    Ok(confirmed)
}

/// Whether a reading is proof only of accounts that stand still meanwhile: with the books apart,
/// unless nothing is compared. An entry's seal is in its own row, and holds or does not, whatever
/// else moves: an account that is always busy must not get away with it.
fn needs_stillness(of: AuditSubject, split_books: bool) -> bool {
    match of {
        AuditSubject::Entries => false,
        AuditSubject::Books
        | AuditSubject::Postings
        | AuditSubject::Captures
        | AuditSubject::Orders => split_books,
    }
}

async fn confirm_split_books(
    reader: &mut AuditReader,
    rules: &Arc<RuleSet>,
    of: AuditSubject,
    mut left: Vec<String>,
    confirmed: &mut ConfirmedFindings,
) -> anyhow::Result<()> {
    let position = reader.position().await?;
    for _ in 0..MAX_LOOKS {
        let before = reader.movement(&left).await?;
        let reading = reader.these(of, &left).await?;
        let after = reader.movement(&left).await?;
        let still: BTreeSet<String> = left
            .iter()
            .filter(|a| before.still(&after, a))
            .cloned()
            .collect();
        // What agrees now has only been under way.
        let differs = suspect_accounts(rules, &reading.facts);
        confirmed.judge(rules, of, reading, &position, |account| {
            still.contains(account)
        });
        left.retain(|account| !still.contains(account) && differs.contains(account));
        if left.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    for account in left {
        let message =
            format!("its balance and its entries did not stand still within {MAX_LOOKS} looks");
        let found = undetermined(rules, of, &account, &message);
        confirmed
            .findings
            .extend(found.into_iter().map(|f| (f, position.to_owned())));
    }
    Ok(())
}

impl ConfirmedFindings {
    fn judge(
        &mut self,
        rules: &RuleSet,
        of: AuditSubject,
        reading: AuditReading,
        position: &str,
        counts: impl Fn(&str) -> bool,
    ) {
        let AuditReading {
            mut facts,
            overflow,
            ..
        } = reading;
        facts.retain(|fact| counts(crate::rules::text::audit_facts::fact_account(fact)));
        let (mut found, errors) = judge_facts(rules, &facts);
        if overflow {
            found.extend(undetermined(
                rules,
                of,
                "",
                "there is more to read of one account than fits",
            ));
        }
        self.findings
            .extend(found.into_iter().map(|f| (f, position.to_owned())));
        self.errors.extend(errors);
    }
}
