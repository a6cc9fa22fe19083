//! A suspect is read again, in a later snapshot, before anything is said of it.
//!
//! On one server that second snapshot is proof: it shows one commit. With the books
//! apart it is proof only if nothing of the account was under way while it was taken:
//! no booking that is made in one place and not yet in the other, and no balance that
//! moved. Otherwise it is looked at once more, and in the end left undecided.

use super::read::{Reader, Reading};
use crate::change::Of;
use crate::rules::at_rest::{judge_all, suspects, undetermined};
use crate::rules::{Finding, RuleError, RuleSet};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Accounts of one reading.
const AT_ONCE: usize = 200;
/// Looks at an account that does not stand still, and the pause between two: about
/// five seconds, longer than a booking takes while everything is well.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// What is still wrong, each with a position at or after which it was.
#[derive(Default)]
pub struct Confirmed {
    pub findings: Vec<(Finding, String)>,
    pub errors: Vec<RuleError>,
}

pub async fn confirm(
    reader: &mut Reader,
    rules: &Arc<RuleSet>,
    of: Of,
    apart: bool,
    accounts: BTreeSet<String>,
) -> anyhow::Result<Confirmed> {
    let mut confirmed = Confirmed::default();
    let accounts: Vec<String> = accounts.into_iter().collect();
    for some in accounts.chunks(AT_ONCE) {
        if apart {
            apart_from_each_other(reader, rules, of, some.to_vec(), &mut confirmed).await?;
        } else {
            let position = reader.position().await?;
            let reading = reader.these(of, some).await?;
            confirmed.judge(rules, of, reading, &position, |_| true);
        }
    }
    Ok(confirmed)
}

async fn apart_from_each_other(
    reader: &mut Reader,
    rules: &Arc<RuleSet>,
    of: Of,
    mut left: Vec<String>,
    confirmed: &mut Confirmed,
) -> anyhow::Result<()> {
    let position = reader.position().await?;
    for _ in 0..LOOKS {
        let before = reader.movement(&left).await?;
        let reading = reader.these(of, &left).await?;
        let after = reader.movement(&left).await?;
        let still: BTreeSet<String> = left
            .iter()
            .filter(|a| before.still(&after, a))
            .cloned()
            .collect();
        // What agrees now has only been under way.
        let differs = suspects(rules, &reading.facts);
        confirmed.judge(rules, of, reading, &position, |account| {
            still.contains(account)
        });
        left.retain(|account| !still.contains(account) && differs.contains(account));
        if left.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    for account in left {
        let message =
            format!("its balance and its entries did not stand still within {LOOKS} looks");
        let found = undetermined(rules, of, &account, &message);
        confirmed
            .findings
            .extend(found.into_iter().map(|f| (f, position.to_owned())));
    }
    Ok(())
}

impl Confirmed {
    fn judge(
        &mut self,
        rules: &RuleSet,
        of: Of,
        reading: Reading,
        position: &str,
        counts: impl Fn(&str) -> bool,
    ) {
        let Reading {
            mut facts,
            overflow,
            ..
        } = reading;
        facts.retain(|fact| counts(crate::rules::at_rest::account(fact)));
        let (mut found, errors) = judge_all(rules, &facts);
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
