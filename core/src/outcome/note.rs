//! What an outcome counts for, and what a change leaves on the order beside its
//! state: what was told, what was heard, which case is open. Pure.

use crate::cases::{self, CaseClosing, CaseKind, OrderCase, storable};
use crate::orders::Order;
use crate::orders::state::{OrderEffect, OrderInput};
use crate::outcome::apply::AppliedOutcomes;
use crate::outcome::{AnswerTo, OrderOutcome, OutcomeDelays, OutcomeResult, RENOTIFY_INTERVAL_US};
use crate::routing::Route;
use sluice_contract::order::{OrderKind, OrderState};

/// The event as it counts for this order now; an error if it counts for nothing.
pub(super) fn event_for(
    order: &Order,
    outcome: &OrderOutcome,
    waits: &OutcomeDelays,
    now_us: i64,
) -> Result<OrderInput, OutcomeResult> {
    let event = outcome.event;
    let superseded = match outcome.answers {
        AnswerTo::Send(number) => number < order.sends,
        // What a query says clearly is true whenever it was asked; that the trade is
        // not known may have been true only before it was sent again.
        AnswerTo::Query(sends) => {
            sends < order.sends && matches!(event, OrderInput::NoSuchTrade | OrderInput::Unknown)
        }
        AnswerTo::Nothing => false,
    };
    match event {
        // The answer to the last sending is still to come, or will be asked for.
        _ if superseded && order.state == OrderState::Dispatching => Err(OutcomeResult::Already),
        _ if superseded => Ok(OrderInput::Unknown),
        // The first request may still arrive.
        OrderInput::Cancel if order.was_sent() && order.state == OrderState::Init => {
            Err(OutcomeResult::Refused)
        }
        // Another instance has told it again meanwhile, or it was heard.
        OrderInput::AckOverdue if order.due_us.is_none_or(|due| due > now_us) => {
            Err(OutcomeResult::Already)
        }
        OrderInput::AckOverdue if order.notify_count >= waits.ack_policy.max_notifications => {
            Ok(OrderInput::AckExhausted)
        }
        // Another that had it says that it paid: who refuses now proves nothing any more,
        // and the money stays reserved until a person has looked.
        OrderInput::Declined | OrderInput::NotHere | OrderInput::NoSuchTrade
            if !order.state.is_end() && Route::has_reversed_decline(order.route.as_deref()) =>
        {
            Ok(OrderInput::Unknown)
        }
        // No other may take it: then it is the end.
        OrderInput::NotHere if reroute(order, outcome).is_none() => Ok(OrderInput::Declined),
        OrderInput::NotSent if order.has_open_case => Err(OutcomeResult::Already),
        OrderInput::Acknowledged if order.acknowledged_us.is_some() => Err(OutcomeResult::Already),
        OrderInput::Renotify if now_us - order.updated_us < RENOTIFY_INTERVAL_US => {
            Err(OutcomeResult::TooSoon)
        }
        event => Ok(event),
    }
}

/// The route of an order that its channel declined for itself alone; `None` if it goes
/// through no other: its caller asked for this one, or it stays within the books.
pub(super) fn reroute(order: &Order, outcome: &OrderOutcome) -> Option<Route> {
    let channel = order
        .channel
        .as_deref()
        .filter(|_| order.kind != OrderKind::Settlement)?;
    let code = outcome.code.as_deref().map_or("-".to_owned(), storable);
    Route::without(
        order.route.as_deref(),
        channel,
        &format!("declined it for itself alone: {code}"),
    )
}

/// What a change leaves on the order itself, beside its state.
pub(super) fn note(
    order: &mut Order,
    event: OrderInput,
    effects: &[OrderEffect],
    waits: &OutcomeDelays,
    now_us: i64,
) {
    order.version += 1;
    order.updated_us = now_us;
    for effect in effects {
        match effect {
            OrderEffect::OpenCase => order.has_open_case = true,
            OrderEffect::Publish => {
                (order.notified_version, order.notified_us) = (order.version, now_us);
                (order.notify_count, order.acknowledged_us) = (0, None);
                if order.state.is_end() && waits.ack_policy.clients.contains(&order.client) {
                    order.due_us = Some(now_us + waits.ack_policy.wait_us(&order.order_id, 0));
                }
            }
            _ => {}
        }
    }
    match event {
        OrderInput::AckOverdue => {
            order.notify_count += 1;
            order.due_us = Some(
                now_us
                    + waits
                        .ack_policy
                        .wait_us(&order.order_id, order.notify_count),
            );
        }
        OrderInput::AckExhausted => order.due_us = None,
        OrderInput::Acknowledged => (order.acknowledged_us, order.due_us) = (Some(now_us), None),
        _ => {}
    }
}

/// What a person has to look at, in words.
pub(super) fn case_of(order: &Order, event: OrderInput, outcome: &OrderOutcome) -> OrderCase {
    let (kind, detail) = match event {
        OrderInput::NotSent => {
            let waits_for = outcome.detail.as_deref().unwrap_or("nothing that is known");
            (CaseKind::NotSent, format!("waits to be sent: {waits_for}"))
        }
        OrderInput::AckExhausted => (
            CaseKind::Unacknowledged,
            format!(
                "{} was told {} times again and never confirmed it",
                order.client, order.notify_count
            ),
        ),
        OrderInput::DeclineReversed => {
            let (who, whose) = (
                outcome.channel.unwrap_or("-"),
                order.channel.as_deref().unwrap_or("nobody"),
            );
            let code = outcome.code.as_deref().map_or("-".to_owned(), storable);
            let said = format!(
                "{who} declined the order and now says that it paid (code {code}); it is {whose}'s now"
            );
            (CaseKind::Contradiction, said)
        }
        _ => (
            CaseKind::Exhausted,
            format!("asked {} times without a clear answer", order.queries),
        ),
    };
    let (account_id, order_id) = (order.account_id.clone(), order.order_id.clone());
    OrderCase {
        account_id,
        order_id,
        kind,
        detail: cases::detail(&detail),
    }
}

/// Closes what the core opened, if anything: the order has gone on.
pub(super) fn close_cases(all: &mut AppliedOutcomes, order: &Order, outcome: &OrderOutcome) {
    if !order.has_open_case {
        return;
    }
    let by = match (outcome.channel, outcome.event) {
        (Some(_), _) => "channel",
        (None, OrderInput::Acknowledged | OrderInput::Cancel) => "upstream",
        (None, _) => "core",
    };
    let (account_id, order_id) = (order.account_id.clone(), order.order_id.clone());
    all.closings.push(CaseClosing {
        account_id,
        order_id,
        by,
    });
    if let Some(order) = all.orders.get_mut(&order.order_id) {
        order.has_open_case = false;
    }
}
