//! The timeline of one order: everything that is written down about it, in one line of
//! time.

use crate::lookup::timeline_repo::{AttemptRow, CaseRow, OrderPostingRow, TransitionRow};
use crate::orders::Order;

/// All rows that tell of one order.
#[derive(Debug, Clone, Default)]
pub struct OrderTimeline {
    pub moves: Vec<TransitionRow>,
    pub attempts: Vec<AttemptRow>,
    pub cases: Vec<CaseRow>,
    pub postings: Vec<OrderPostingRow>,
    /// Since when the oldest event waits in the outbox, of whatever order.
    pub oldest_unpublished: Option<i64>,
}

/// One thing that happened. Lines of one transaction have the same time and stand in
/// the order in which they follow from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    pub at_us: i64,
    /// `order`, `attempt`, `ledger`, `event` or `case`.
    pub what: &'static str,
    pub text: String,
}

fn line(at_us: i64, what: &'static str, text: String) -> TimelineEntry {
    TimelineEntry { at_us, what, text }
}

fn by(words: &str, from: Option<&str>) -> String {
    from.map_or(String::new(), |f| format!("{words}{f}"))
}

impl OrderTimeline {
    /// Merges the rows into lines, oldest first.
    pub fn lines(&self, order: &Order) -> Vec<TimelineEntry> {
        let amount = format!("{} {}", order.amount.normalize(), order.currency);
        let accepted = format!(
            "1 accepted from {}: {} of {amount} from {} to {}",
            order.client,
            order.kind.as_str(),
            order.account_id,
            order.to_account
        );
        let mut lines = vec![line(order.created_us, "order", accepted)];
        lines.extend(self.moves.iter().map(move_line));
        for a in &self.attempts {
            let opened = format!("{} opened at {}", a.number, a.channel);
            lines.push(line(a.created_us, "attempt", opened));
            let ends = if a.live { "may still pay" } else { "ended" };
            let now = format!(
                "{} is {} and {ends}{}",
                a.number,
                a.state,
                by(", code ", a.code.as_deref())
            );
            lines.push(line(a.updated_us, "attempt", now));
        }
        for p in &self.postings {
            let text = format!(
                "{}: {} {} from {} to {}",
                p.kind,
                p.amount.normalize(),
                p.currency,
                p.debit,
                p.credit
            );
            lines.push(line(p.at_us, "ledger", text));
        }
        lines.push(self.last_event(order));
        for c in &self.cases {
            lines.push(line(
                c.opened_us,
                "case",
                format!("{} opened: {}", c.kind, c.detail),
            ));
            if let Some(at_us) = c.closed_us {
                let who = by(" by ", c.closed_by.as_deref());
                lines.push(line(
                    at_us,
                    "case",
                    format!("{} closed{who}{}", c.kind, by(": ", c.note.as_deref())),
                ));
            }
        }
        // Stable: what happened at one time stays in the order above.
        lines.sort_by_key(|l| l.at_us);
        lines
    }

    /// Tells where the order's last event is.
    fn last_event(&self, order: &Order) -> TimelineEntry {
        let notified_us = if order.notified_us > 0 {
            order.notified_us
        } else {
            order.created_us
        };
        let waits = self
            .oldest_unpublished
            .is_some_and(|oldest| oldest <= notified_us);
        let place = if waits {
            "may still wait in the outbox"
        } else {
            "left the outbox"
        };
        let again = if order.notify_count > 0 {
            format!(", told {} times again", order.notify_count)
        } else {
            String::new()
        };
        line(
            notified_us,
            "event",
            format!(
                "{}-{} {place}{again}",
                order.order_id, order.notified_version
            ),
        )
    }
}

fn move_line(m: &TransitionRow) -> TimelineEntry {
    let moved = if m.from == m.to {
        m.to.clone()
    } else {
        format!("{} → {}", m.from, m.to)
    };
    let text = format!(
        "{} {} ({moved}){}{}",
        m.version,
        m.event,
        by(" at ", m.channel.as_deref()),
        by(", code ", m.code.as_deref())
    );
    line(m.at_us, "order", text)
}
