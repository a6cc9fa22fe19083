//! What an outcome counts for, and what a change leaves on the order beside its
//! state: what was told, what was heard, which case is open. Pure.

use super::apply::Applied;
use super::{Answers, Outcome, RENOTIFY_US, Taken, Waits};
use crate::cases::{self, Case, CaseKind, Closing, storable};
use crate::orders::Order;
use crate::orders::state::{Effect, Event};
use crate::routing::Route;
use sluice_contract::order::{Kind, State};

/// The event as it counts for this order now; an error if it counts for nothing.
pub(super) fn event_for(
    order: &Order,
    outcome: &Outcome,
    waits: &Waits,
    now_us: i64,
) -> Result<Event, Taken> {
    let event = outcome.event;
    let superseded = match outcome.answers {
        Answers::Send(number) => number < order.sends,
        // What a query says clearly is true whenever it was asked; that the trade is
        // not known may have been true only before it was sent again.
        Answers::Query(sends) => {
            sends < order.sends && matches!(event, Event::NoSuchTrade | Event::Unknown)
        }
        Answers::Nothing => false,
    };
    match event {
        // The answer to the last sending is still to come, or will be asked for.
        _ if superseded && order.state == State::Dispatching => Err(Taken::Already),
        _ if superseded => Ok(Event::Unknown),
        // The first request may still arrive.
        Event::Cancel if order.is_out() && order.state == State::Init => Err(Taken::Refused),
        // Another instance has told it again meanwhile, or it was heard.
        Event::Unheard if order.due_us.is_none_or(|due| due > now_us) => Err(Taken::Already),
        Event::Unheard if order.notify_count >= waits.hearing.max_notifications => {
            Ok(Event::NeverHeard)
        }
        // Another that had it says that it paid: who refuses now proves nothing any more,
        // and the money stays reserved until a person has looked.
        Event::Declined | Event::NotHere | Event::NoSuchTrade
            if !order.state.is_end() && Route::is_recanted(order.route.as_deref()) =>
        {
            Ok(Event::Unknown)
        }
        // No other may take it: then it is the end.
        Event::NotHere if elsewhere(order, outcome).is_none() => Ok(Event::Declined),
        Event::NotSent if order.has_open_case => Err(Taken::Already),
        Event::Heard if order.acknowledged_us.is_some() => Err(Taken::Already),
        Event::Renotify if now_us - order.updated_us < RENOTIFY_US => Err(Taken::TooSoon),
        event => Ok(event),
    }
}

/// The route of an order that its channel declined for itself alone; `None` if it goes
/// through no other: its caller asked for this one, or it stays within the books.
pub(super) fn elsewhere(order: &Order, outcome: &Outcome) -> Option<Route> {
    let channel = order
        .channel
        .as_deref()
        .filter(|_| order.kind != Kind::Settlement)?;
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
    event: Event,
    effects: &[Effect],
    waits: &Waits,
    now_us: i64,
) {
    order.version += 1;
    order.updated_us = now_us;
    for effect in effects {
        match effect {
            Effect::OpenCase => order.has_open_case = true,
            Effect::Publish => {
                (order.notified_version, order.notified_us) = (order.version, now_us);
                (order.notify_count, order.acknowledged_us) = (0, None);
                if order.state.is_end() && waits.hearing.clients.contains(&order.client) {
                    order.due_us = Some(now_us + waits.hearing.wait_us(&order.order_id, 0));
                }
            }
            _ => {}
        }
    }
    match event {
        Event::Unheard => {
            order.notify_count += 1;
            order.due_us =
                Some(now_us + waits.hearing.wait_us(&order.order_id, order.notify_count));
        }
        Event::NeverHeard => order.due_us = None,
        Event::Heard => (order.acknowledged_us, order.due_us) = (Some(now_us), None),
        _ => {}
    }
}

/// What a person has to look at, in words.
pub(super) fn case_of(order: &Order, event: Event, outcome: &Outcome) -> Case {
    let (kind, detail) = match event {
        Event::NotSent => {
            let waits_for = outcome.detail.as_deref().unwrap_or("nothing that is known");
            (CaseKind::NotSent, format!("waits to be sent: {waits_for}"))
        }
        Event::NeverHeard => (
            CaseKind::Unheard,
            format!(
                "{} was told {} times again and never confirmed it",
                order.client, order.notify_count
            ),
        ),
        Event::Recanted => {
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
    Case {
        account_id,
        order_id,
        kind,
        detail: cases::detail(&detail),
    }
}

/// Closes what the core opened, if anything: the order has gone on.
pub(super) fn close_cases(all: &mut Applied, order: &Order, outcome: &Outcome) {
    if !order.has_open_case {
        return;
    }
    let by = match (outcome.channel, outcome.event) {
        (Some(_), _) => "channel",
        (None, Event::Heard | Event::Cancel) => "upstream",
        (None, _) => "core",
    };
    let (account_id, order_id) = (order.account_id.clone(), order.order_id.clone());
    all.closings.push(Closing {
        account_id,
        order_id,
        by,
    });
    if let Some(order) = all.orders.get_mut(&order.order_id) {
        order.has_open_case = false;
    }
}
