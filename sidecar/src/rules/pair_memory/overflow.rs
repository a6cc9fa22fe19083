//! Overflow of a pair's log: the oldest half goes before its time, and this is said.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::watermarks::{SourceWatermarks, source_index};
use crate::rules::pair_memory::{PairMemory, PairState};
use crate::rules::runtime::rule_call::RuleRun;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Halves of either side that one rule keeps at most, whatever memory it may take.
pub const MAX_KEPT_SIDES: usize = if cfg!(test) { 2_000 } else { 4_000_000 };
/// Accounts that are stopped one by one for what a full log forgot; past it everybody.
const MAX_STOPPED_ACCOUNTS: usize = 100;

/// Consequences of a full log.
#[derive(Debug, Clone, Default)]
pub(super) struct PairOverflow {
    /// The overflow was said, and is said again from then on.
    pub(super) said_until_us: Option<i64>,
    /// Accounts whose money was stopped since it was said; everybody's past `MAX_STOPPED_ACCOUNTS`.
    pub(super) stopped: BTreeSet<Box<str>>,
    /// Partners of what came before this may be forgotten.
    pub(super) until_us: Option<i64>,
    /// The log was full before the first watermark: `until_us` is known with that.
    pub(super) untimed: bool,
}

impl PairMemory {
    /// The oldest one goes before its time. Once per `keep_ms` this is said.
    pub(super) fn overflow(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        (rule, side): (usize, usize),
        position: &Arc<str>,
        watermarks: &SourceWatermarks,
    ) {
        let now_us = watermarks[source_index(self.terms.sources[side])];
        let until_us = now_us
            .unwrap_or(i64::MIN)
            .saturating_add(self.terms.keep_us);
        self.full.until_us = self.full.until_us.max(Some(until_us));
        self.full.untimed |= now_us.is_none();
        if self
            .full
            .said_until_us
            .is_none_or(|until_us| now_us >= Some(until_us))
        {
            self.full.said_until_us = Some(until_us);
            self.full.stopped.clear();
            let (kept, bytes) = (self.logs[side].len(), self.bytes);
            let message = format!(
                "the memory is full at {kept} of a side and {bytes} bytes: the oldest are forgotten; shorten keep_ms, \
                 or raise state.memory_mb"
            );
            run.error(rule, &message);
            run.unknown(rule, &message, position, "");
        }
        let first = self.logs[side].front();
        if let Some((id, _)) = first.filter(|(_, item)| item.value.state == PairState::Waiting)
            && self.terms.require.of(side)
        {
            self.unchecked(run, rule, side, id);
        }
        self.forget(holds, side);
    }

    /// A required side of which nobody can say any more whether its partner is missing:
    /// as with a rule that broke off, its money waits for a person.
    pub(super) fn unchecked(&mut self, run: &mut RuleRun<'_>, rule: usize, side: usize, id: u64) {
        let Some(item) = self.logs[side].get(id) else {
            return;
        };
        let account = item.value.paired.account();
        if self.full.stopped.len() > MAX_STOPPED_ACCOUNTS
            || !self.full.stopped.insert(account.into())
        {
            return;
        }
        let account = if self.full.stopped.len() > MAX_STOPPED_ACCOUNTS {
            ""
        } else {
            account
        };
        let message = "the memory is full: whether the partner is missing was not checked";
        run.unchecked(rule, message, &item.position, account);
    }
}
