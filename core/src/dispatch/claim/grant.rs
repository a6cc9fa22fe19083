//! Grant of a claim: the order becomes ours to send, by this channel and at this trade
//! time.

use crate::channels::SendBy;
use crate::dispatch::claim::gates::ClaimGrant;
use crate::dispatch::claim::inputs::ClaimInputs;
use crate::dispatch::claim::rejections::count_rejections;
use crate::dispatch::claim::result::ClaimedOrder;
use crate::dispatch::claim::send_path::SendPath;
use crate::orders::Order;
use crate::routing::limits::{self, LimitTimes};
use std::time::Duration;

/// Time after a call's deadline at which an order without an outcome is looked at.
const OUTCOME_MARGIN_US: i64 = 2_000_000;

/// Makes the order ours to send: fixes channel and trade time, counts it in the totals.
pub(super) fn take(
    mut order: Order,
    inputs: &mut ClaimInputs,
    grant: ClaimGrant<'_>,
    now: i64,
) -> anyhow::Result<ClaimedOrder> {
    let send_by = fix_channel(&mut order, &grant, now)?;
    if let Some(mut route) = grant.route {
        let times = LimitTimes {
            platform: &inputs.platform_time,
            trade: order.trade_time.as_deref().unwrap_or_default(),
        };
        let keys = limits::keys(&order, grant.path.id(), times);
        route.day = inputs.platform_time.get(..8).map(str::to_owned);
        inputs.totals.take(&keys, order.amount)?;
        count_rejections(&route);
        order.route = Some(serde_json::to_string(&route)?);
    }
    Ok(ClaimedOrder {
        order,
        permit: grant.permit,
        send_by,
    })
}

fn fix_channel(order: &mut Order, grant: &ClaimGrant<'_>, now: i64) -> anyhow::Result<SendBy> {
    order.last_pending_us = Some(silent_since_us(order, now));
    if !order.was_sent() {
        order.attempts += 1;
    }
    let (deadline_us, send_within) = match &grant.path {
        SendPath::Channel(channel) => {
            if order.trade_time.is_none() {
                order.trade_time = Some(channel.trade_time(now)?);
            }
            (channel.deadline.as_micros() as i64, channel.send_within)
        }
        SendPath::Books | SendPath::Unavailable(_) => (0, Duration::ZERO),
    };
    let send_by = SendBy::after(now, send_within);
    order.channel = Some(grant.path.id().to_owned());
    order.state = grant.state;
    order.sends += 1;
    order.set_send_by(send_by.wall_us());
    order.version += 1;
    order.updated_us = now;
    order.due_us = Some(now + deadline_us + OUTCOME_MARGIN_US);
    Ok(send_by)
}

/// Time from which the channel's silence counts. Sent again, the order goes on where it was
/// before it waited: a channel that never knows it is a person's case in the end.
fn silent_since_us(order: &Order, now: i64) -> i64 {
    match (order.last_pending_us, order.waiting_since_us) {
        (Some(since), Some(waiting)) if order.was_sent() => {
            now - waiting.saturating_sub(since).max(0)
        }
        _ => now,
    }
}
