//! Cases that outcomes open and close.

use crate::cases::{self, CaseClosing, CaseKind, OrderCase, storable};
use crate::orders::state::OrderInput;
use crate::orders::{AlteredOrder, Order};
use crate::outcome::apply::applied::AppliedOutcomes;
use crate::outcome::report::{OrderOutcome, OutcomeResult};

/// Opens the case of a word that can't be true; the order stays as it was.
pub(super) fn contradiction(
    all: &mut AppliedOutcomes,
    outcome: &OrderOutcome,
    detail: &str,
) -> OutcomeResult {
    if let Some(order) = all.orders.get(&outcome.at.order_id) {
        let detail = format!("{detail} (code {})", code_of(outcome));
        all.cases
            .push(new_case(order, CaseKind::Contradiction, &detail));
    }
    OutcomeResult::Contradiction
}

impl AppliedOutcomes {
    /// Refuses what is told of orders that somebody changed beside the core: their rows are
    /// no measure of a channel's word. Each gets a case; a person mends the row, and the
    /// channel is asked again.
    pub fn refuse_altered(&mut self, outcomes: &[OrderOutcome], altered: &[AlteredOrder]) {
        for (taken, outcome) in self.taken.iter_mut().zip(outcomes) {
            if altered.iter().any(|order| order.at == outcome.at) {
                *taken = OutcomeResult::Contradiction;
            }
        }
        self.cases.extend(altered.iter().map(AlteredOrder::to_case));
    }
}

/// Says in words what a person has to look at.
pub(super) fn case_of(order: &Order, input: OrderInput, outcome: &OrderOutcome) -> OrderCase {
    match input {
        OrderInput::NotSent => {
            let reason = outcome.detail.as_deref().unwrap_or("nothing that is known");
            new_case(
                order,
                CaseKind::NotSent,
                &format!("waits to be sent: {reason}"),
            )
        }
        OrderInput::AckExhausted => {
            let detail = format!(
                "{} was told {} times again and never confirmed it",
                order.client, order.notify_count
            );
            new_case(order, CaseKind::Unacknowledged, &detail)
        }
        OrderInput::DeclineReversed => {
            let (who, whose) = (
                outcome.channel.unwrap_or("-"),
                order.channel.as_deref().unwrap_or("nobody"),
            );
            let detail = format!(
                "{who} declined the order and now says that it paid (code {}); it is {whose}'s now",
                code_of(outcome)
            );
            new_case(order, CaseKind::Contradiction, &detail)
        }
        OrderInput::Exhausted
        | OrderInput::Booked
        | OrderInput::Unfunded
        | OrderInput::Claim
        | OrderInput::Unroutable
        | OrderInput::Accepted
        | OrderInput::Succeeded
        | OrderInput::Declined
        | OrderInput::NotHere
        | OrderInput::SendRefused
        | OrderInput::Unknown
        | OrderInput::NoSuchTrade
        | OrderInput::Returned
        | OrderInput::Cancel
        | OrderInput::AckOverdue
        | OrderInput::Acknowledged
        | OrderInput::Renotify => {
            let bound = outcome.detail.as_deref().unwrap_or("no clear answer");
            let detail = format!("asked {} times: {bound}", order.queries);
            new_case(order, CaseKind::Exhausted, &detail)
        }
    }
}

fn code_of(outcome: &OrderOutcome) -> String {
    outcome.code.as_deref().map_or("-".to_owned(), storable)
}

fn new_case(order: &Order, kind: CaseKind, detail: &str) -> OrderCase {
    OrderCase {
        account_id: order.account_id.clone(),
        order_id: order.order_id.clone(),
        kind,
        detail: cases::detail(detail),
    }
}

/// Closes what the core opened, if anything: the order has gone on.
pub(super) fn close_cases(all: &mut AppliedOutcomes, order: &Order, outcome: &OrderOutcome) {
    if !order.has_open_case {
        return;
    }
    all.closings.push(CaseClosing {
        account_id: order.account_id.clone(),
        order_id: order.order_id.clone(),
        by: closer(outcome),
    });
    if let Some(order) = all.orders.get_mut(&order.order_id) {
        order.has_open_case = false;
    }
}

/// Names the one whose report closes a case.
fn closer(outcome: &OrderOutcome) -> &'static str {
    if outcome.channel.is_some() {
        return "channel";
    }
    match outcome.event {
        OrderInput::Acknowledged | OrderInput::Cancel => "upstream",
        OrderInput::Booked
        | OrderInput::Unfunded
        | OrderInput::Claim
        | OrderInput::Unroutable
        | OrderInput::Accepted
        | OrderInput::Succeeded
        | OrderInput::Declined
        | OrderInput::NotHere
        | OrderInput::SendRefused
        | OrderInput::DeclineReversed
        | OrderInput::Unknown
        | OrderInput::NoSuchTrade
        | OrderInput::Returned
        | OrderInput::Exhausted
        | OrderInput::NotSent
        | OrderInput::AckOverdue
        | OrderInput::AckExhausted
        | OrderInput::Renotify => "core",
    }
}
