//! Notes that a change leaves on the order beside its state: version, published events,
//! acknowledgement, open case.

use crate::orders::Order;
use crate::orders::state::{OrderEffect, OrderInput};
use crate::outcome::apply::applied::OrderChange;
use crate::outcome::apply::delays::OutcomeDelays;

/// Notes the change on the order.
pub(super) fn note(order: &mut Order, decided: &OrderChange, delays: &OutcomeDelays, now_us: i64) {
    order.version += 1;
    order.updated_us = now_us;
    for effect in decided.effects {
        note_effect(order, *effect, delays, now_us);
    }
    match decided.input {
        OrderInput::AckOverdue => {
            order.notify_count += 1;
            let wait_us = delays
                .ack_policy
                .wait_us(&order.order_id, order.notify_count);
            order.due_us = Some(now_us + wait_us);
        }
        OrderInput::AckExhausted => order.due_us = None,
        OrderInput::Acknowledged => (order.acknowledged_us, order.due_us) = (Some(now_us), None),
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
        | OrderInput::Cancel
        | OrderInput::Exhausted
        | OrderInput::NotSent
        | OrderInput::Renotify => {}
    }
}

fn note_effect(order: &mut Order, effect: OrderEffect, delays: &OutcomeDelays, now_us: i64) {
    match effect {
        OrderEffect::OpenCase => order.has_open_case = true,
        OrderEffect::NotePending => {
            order.last_pending_us = Some(now_us);
            order.accepted_us.get_or_insert(now_us);
            // One of its sendings did arrive: what another was refused with ends nothing.
            order.send_refusal = None;
        }
        OrderEffect::NoteRefusal => order.due_us = Some(now_us),
        OrderEffect::Publish => {
            (order.notified_version, order.notified_us) = (order.version, now_us);
            (order.notify_count, order.acknowledged_us) = (0, None);
            if order.state.is_end() && delays.ack_policy.clients.contains(&order.client) {
                order.due_us = Some(now_us + delays.ack_policy.wait_us(&order.order_id, 0));
            }
        }
        OrderEffect::Finalize
        | OrderEffect::Release
        | OrderEffect::GiveBack
        | OrderEffect::CloseAttempt
        | OrderEffect::FreeLimits
        | OrderEffect::CloseCase
        | OrderEffect::PublishAgain => {}
    }
}
