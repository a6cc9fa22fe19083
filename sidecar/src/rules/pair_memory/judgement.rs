//! Judgement of a half that has waited in vain: missing, unknown, unchecked, or past.

use crate::rules::memory::keyed_log::KeyedItem;
use crate::rules::memory::paired_item::PairedItem;
use crate::rules::memory::read_bounds::ReadBounds;
use crate::rules::memory::source_clock::SourceClock;
use crate::rules::pair_memory::{KeptSide, PairMemory};
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::views::trace::TracedInput;
use crate::stream::change::SourceKind;

impl PairMemory {
    /// Says what is known of a required side that has waited in vain.
    pub(super) fn judge(
        &mut self,
        run: &mut RuleRun<'_>,
        rule: usize,
        (side, id): (usize, u64),
        now_us: i64,
        clock: &SourceClock<'_>,
    ) {
        let known = &clock.known;
        let Some(item) = self.logs[side].get(id) else {
            return;
        };
        let account = item.value.paired.account();
        if self.is_past(side, item, clock) {
            // It was judged before this run, with what is not read again; at the first
            // start nobody was promised that, and a gap has its own verdict.
        } else if let Some(message) = self.unknown(side, item, known) {
            run.unknown(rule, message, &item.position, account);
        } else if Some(item.at_us) < self.full.until_us {
            self.unchecked(run, rule, side, id);
        } else {
            let source = match self.terms.sources[1 - side] {
                SourceKind::Binlog => "binlog",
                SourceKind::Kafka => "kafka",
            };
            let passed = format!("came until {now_us} without a partner");
            run.because = Some(TracedInput {
                position: source.to_owned(),
                what: passed,
            });
            run.call(
                rule,
                "missing",
                (item.value.paired.view(&item.position),),
                &item.position,
                account,
            );
            run.because = None;
        }
    }

    /// Whether it came before this run, with a partner that may lie before it too. An event
    /// that was published while nobody read was not judged before: it is unknown, not past.
    fn is_past(&self, side: usize, item: &KeyedItem<KeptSide>, clock: &SourceClock<'_>) -> bool {
        let known = &clock.known;
        let was_judged = |position: &str| clock.judged.is_none_or(|read| read.contains(position));
        match &item.value.paired {
            PairedItem::Row(..) => item.at_us < known.judged_from_us,
            PairedItem::Event(event) => {
                item.at_us <= known.past_until_us
                    && self.happened_before(side, item, known)
                    && was_judged(&event.position)
            }
        }
    }

    /// Whether an event's row may lie before what is read of the binlog.
    fn happened_before(&self, side: usize, item: &KeyedItem<KeptSide>, known: &ReadBounds) -> bool {
        let of_row = self.terms.sources[1 - side] == SourceKind::Binlog;
        of_row
            && item
                .value
                .paired
                .occurred_us()
                .is_some_and(|occurred| occurred < known.rows_from_us)
    }

    /// The reason why nothing can be said of a side that waits in vain; None if it can.
    fn unknown(
        &self,
        side: usize,
        item: &KeyedItem<KeptSide>,
        known: &ReadBounds,
    ) -> Option<&'static str> {
        let of_event = self.terms.sources[1 - side] == SourceKind::Kafka;
        if of_event && item.at_us < known.events_from_us.saturating_add(self.terms.keep_us) {
            return Some(
                "its event may have been published before Kafka is read: nothing can be said",
            );
        }
        if item.at_us < self.gap_until_us {
            return Some("the partner may have come before this rule kept it: nothing can be said");
        }
        // A row comes after what happened. One that came before all that are still
        // known when the event is told can't be found any more.
        let late = item
            .value
            .paired
            .occurred_us()
            .is_some_and(|occurred| occurred <= item.value.forgotten_us);
        let late = late || self.happened_before(side, item, known);
        late.then_some("told long after it happened: its partner may have come and be forgotten")
    }
}
