//! Decision on a reset. Pure; every reason is named, not only the first.

use crate::breakers::seal::SealState;
use crate::verdicts::open_repo::{OpenVerdict, StandingDifference};
use crate::workflow::resets::BreakersState;
use serde::Serialize;
use sluice_contract::breaker::{BreakerKey, BreakerState};

/// Everything that keeps breakers open.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResetRefusal {
    /// In words, each with the next step.
    pub reasons: Vec<String>,
    /// Open verdicts on them that the reset does not name.
    pub open: Vec<OpenVerdict>,
    /// Differences at rest that still stand.
    pub standing: Vec<StandingDifference>,
    /// The first breaker that can't be closed.
    #[serde(skip)]
    pub blocker: Option<ResetBlocker>,
}

/// The kind of what keeps a breaker open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetBlocker {
    NotOpen,
    Moved,
    Unanswered,
    Standing,
    SealBroken,
}

impl ResetRefusal {
    fn add(&mut self, blocker: ResetBlocker, reason: String) {
        self.blocker.get_or_insert(blocker);
        self.reasons.push(reason);
    }
}

/// Refuses to close `seen`, breakers with their versions, unless each is open at that version,
/// every open verdict on it is answered, and nothing stands at rest.
pub(super) fn decide(
    state: &BreakersState,
    seen: &[(BreakerKey, i64)],
    is_answered: impl Fn(&OpenVerdict) -> bool,
) -> Result<(), ResetRefusal> {
    let mut refusal = ResetRefusal::default();
    if let SealState::Broken(why) = &state.seal {
        let next = "look at each, then `sluice breakers seal`";
        refusal.add(
            ResetBlocker::SealBroken,
            format!("the breakers were changed by hand ({why}): {next}"),
        );
    }
    for (key, version) in seen {
        is_as_seen(&mut refusal, state, key, *version);
    }
    let on_them = |names: &dyn Fn(&BreakerKey) -> bool| seen.iter().any(|(key, _)| names(key));
    let unanswered = state
        .open
        .iter()
        .filter(|v| !is_answered(v) && on_them(&|key| v.names(key)));
    refusal.open = unanswered.cloned().collect();
    if !refusal.open.is_empty() {
        let count = refusal.open.len();
        refusal.add(
            ResetBlocker::Unanswered,
            format!("{count} open verdicts on it are not answered: look at each and name it"),
        );
    }
    if !state.is_all {
        let count = state.open.len();
        refusal.add(
            ResetBlocker::Unanswered,
            format!("{count} verdicts or more are open on it: reset those of one rule first"),
        );
    }
    let standing = state
        .standing
        .iter()
        .filter(|s| on_them(&|key| s.names(key)));
    refusal.standing = standing.cloned().collect();
    if let Some(first) = refusal.standing.first() {
        let (rule, account, count) = (&first.rule, &first.account_id, refusal.standing.len());
        let reason = format!(
            "{count} differences at rest still stand, the first of {rule} on {account}: mend the data and run \
             `sluice audit`, or suppress what is right"
        );
        refusal.add(ResetBlocker::Standing, reason);
    }
    match refusal.blocker {
        Some(_) => Err(refusal),
        None => Ok(()),
    }
}

fn is_as_seen(refusal: &mut ResetRefusal, state: &BreakersState, key: &BreakerKey, version: i64) {
    let text = key.to_string();
    let row = state
        .rows
        .iter()
        .find(|row| format!("{}/{}/{}", row.point, row.scope, row.key) == text);
    match row {
        Some(row) if row.state != BreakerState::Closed.as_str() && row.version == version => {}
        Some(row) if row.state != BreakerState::Closed.as_str() => refusal.add(
            ResetBlocker::Moved,
            format!(
                "{key} has moved: it is version {} now, not {version}; look at it again",
                row.version
            ),
        ),
        _ => refusal.add(ResetBlocker::NotOpen, format!("{key} is not open")),
    }
}
