//! Deadlines of halves: a watermark times what came, compares, misses and forgets.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::source_clock::SourceClock;
use crate::rules::memory::watermarks::source_index;
use crate::rules::pair_memory::{PairMemory, PairState};
use crate::rules::runtime::rule_call::RuleRun;
use crate::stream::change::SourceKind;

/// Time that a source may lag longer than `within_ms` before rules say so: longer than
/// a rebalance or a restart of a broker takes.
const LAG_GRACE_US: i64 = 30_000_000;

impl PairMemory {
    /// A source has delivered everything up to its watermark.
    pub fn advance(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        rule: usize,
        clock: &SourceClock<'_>,
    ) {
        let watermarks = clock.watermarks;
        for side in [0, 1] {
            if self.terms.sources[side] == clock.source
                && let Some(now_us) = watermarks[source_index(clock.source)]
            {
                self.logs[side].time(now_us);
                self.own[side] = [Some(now_us), self.own[side][0]];
                if std::mem::take(&mut self.full.untimed) {
                    self.full.until_us = self
                        .full
                        .until_us
                        .max(Some(now_us.saturating_add(self.terms.keep_us)));
                }
            }
        }
        self.compare_due(run, rule, watermarks);
        for side in [0, 1] {
            let own = watermarks[source_index(self.terms.sources[side])];
            let other = watermarks[source_index(self.terms.sources[1 - side])];
            if let Some(now_us) = other {
                self.miss(run, holds, rule, side, (now_us, clock));
                self.lag(run, rule, side);
            }
            // Without any word of the other source, one's own clock must do.
            if let Some(now_us) = other.or(own) {
                self.expire(holds, side, now_us);
            }
        }
    }

    /// Says once that nothing can be said: a side waits longer than its partner may
    /// take, by its own source's clock, and the partner's source has not come so far.
    fn lag(&mut self, run: &mut RuleRun<'_>, rule: usize, side: usize) {
        let waits = self.terms.require.of(side) && self.open > 0;
        let wait_us = self.terms.within_us.saturating_add(LAG_GRACE_US);
        let late = self.logs[side].get(self.undecided[side]).filter(|_| waits);
        let late = late
            .filter(|item| self.own[side][1].is_some_and(|own_us| item.is_past(wait_us, own_us)));
        if let Some(item) = late
            && !self.lags[side]
        {
            let source = match self.terms.sources[1 - side] {
                SourceKind::Binlog => "the binlog",
                SourceKind::Kafka => "Kafka",
            };
            let message = format!(
                "{source} lags behind: whether something is missing can't be said until it has come"
            );
            run.unknown(rule, &message, &item.position, "");
        }
        self.lags[side] = late.is_some();
    }

    /// Says which required sides have waited in vain.
    fn miss(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        rule: usize,
        side: usize,
        (now_us, clock): (i64, &SourceClock<'_>),
    ) {
        loop {
            let id = self.undecided[side];
            let Some(item) = self.logs[side]
                .get(id)
                .filter(|item| item.is_past(self.terms.within_us, now_us))
            else {
                return;
            };
            if self.terms.require.of(side) && item.value.state == PairState::Waiting {
                self.judge(run, rule, (side, id), now_us, clock);
                self.decide(holds, side, id, PairState::Missed);
            }
            self.undecided[side] += 1;
        }
    }
}
