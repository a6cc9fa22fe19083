//! Gates of the claim: what an order has to pass before it is ours to send, in this
//! order.
//!
//! | gate | asks | held back, until |
//! |---|---|---|
//! | `gate_seal` | as the core wrote it, and not ended? | a person mends it: a case |
//! | `gate_state` | may this state be claimed? | nothing: it isn't looked at again |
//! | `gate_breaker` | is a breaker open, whatever the channel? | a poll finds it closed |
//! | `gate_hold` | is the account held by an open pair? | parked before; else a poll finds it |
//! | `gate_route` | which channel takes it? | routing, limits or the day change |
//! | `gate_breaker` | is a breaker of that channel open? | a poll finds it closed |
//! | `gate_permit` | is a call of that channel free? | a call ends |

use crate::channels::ChannelClient;
use crate::channels::permits::CallPermit;
use crate::dispatch::claim::inputs::ClaimInputs;
use crate::dispatch::claim::locked::LockedOrders;
use crate::dispatch::claim::send_path::{RouteChoice, SendPath};
use crate::orders::state::{OrderInput, StateDecision, step};
use crate::orders::{Order, OrderSeals, SealBreach, check_attempts};
use crate::routing::{Route, RouteDecision};
use sluice_contract::breaker::BreakerKey;
use sluice_contract::order::OrderState;
use std::collections::HashSet;

/// Decision of the claim about one order.
pub(super) enum ClaimDecision<'a> {
    /// Every gate was passed: it is ours to send.
    Claim(ClaimGrant<'a>),
    /// The order waits, and somebody looks again.
    Hold(HoldReason),
    /// No channel takes it, now or ever.
    NoRoute(RouteDecision),
    /// The state is no longer one that is sent from.
    Skip,
}

/// Grant of a send: path, route and permit.
pub(super) struct ClaimGrant<'a> {
    pub state: OrderState,
    pub path: SendPath<'a>,
    pub route: Option<Route>,
    pub permit: Option<CallPermit>,
}

/// Why an order is held back, as the metric tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum HoldReason {
    Breaker,
    Pair,
    Route,
    Channel,
    Altered,
}

impl HoldReason {
    pub const ALL: [HoldReason; 5] = [
        HoldReason::Breaker,
        HoldReason::Pair,
        HoldReason::Route,
        HoldReason::Channel,
        HoldReason::Altered,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            HoldReason::Breaker => "breaker",
            HoldReason::Pair => "pair",
            HoldReason::Route => "route",
            HoldReason::Channel => "channel",
            HoldReason::Altered => "altered",
        }
    }
}

/// Leads one order through the gates. `holds` are the accounts held by open pairs.
///
/// # Errors
/// A channel's trade time that can't be read.
pub(super) fn decide<'a>(
    inputs: &ClaimInputs,
    channels: &'a [ChannelClient],
    order: &Order,
    holds: &HashSet<String>,
) -> anyhow::Result<ClaimDecision<'a>> {
    let Some(state) = gate_state(order) else {
        return Ok(ClaimDecision::Skip);
    };
    if let Err(held) = gate_breaker(order, inputs.tripped.stops_anywhere(order)) {
        return Ok(ClaimDecision::Hold(held));
    }
    if let Err(held) = gate_hold(order, holds) {
        return Ok(ClaimDecision::Hold(held));
    }
    let (path, route) = match gate_route(inputs, channels, order)? {
        RouteChoice::Via(path, route) => (path, route),
        RouteChoice::NoRoute(decision) => return Ok(ClaimDecision::NoRoute(decision)),
    };
    // A chosen channel has none: this is for what is sent again, and settlements.
    let of_channel = inputs.tripped.stops_channel(order.kind.point(), path.id());
    if let Err(held) = gate_breaker(order, of_channel) {
        return Ok(ClaimDecision::Hold(held));
    }
    Ok(match gate_permit(&path, order) {
        Err(held) => ClaimDecision::Hold(held),
        Ok(permit) => ClaimDecision::Claim(ClaimGrant {
            state,
            path,
            route,
            permit,
        }),
    })
}

/// Checks that what is about to be paid is what was asked, that it has not ended, and that a
/// sending repeats the first one's serial number, trade time and channel, under the attempts
/// that were made.
pub(super) fn gate_seal(
    seals: &OrderSeals,
    locked: &LockedOrders,
    order: &Order,
) -> Result<(), SealBreach> {
    seals.check(order)?;
    if !order.state.is_end() && locked.ended.contains(&order.order_id) {
        return Err(SealBreach::EndedBefore);
    }
    if order.attempts == 0 {
        // The first attempt's key refuses a second one.
        return Ok(());
    }
    check_attempts(order, &locked.attempts)?;
    if locked.lacks_attempt(order) {
        return Err(SealBreach::EndedAttempt);
    }
    Ok(())
}

/// The state that a claim moves the order to, if it may be claimed.
fn gate_state(order: &Order) -> Option<OrderState> {
    match step(order.state, OrderInput::Claim) {
        StateDecision::Move(to, _) => Some(to),
        StateDecision::Stay(_)
        | StateDecision::After(_)
        | StateDecision::Already
        | StateDecision::Contradiction(_)
        | StateDecision::Refused => None,
    }
}

fn gate_breaker(order: &Order, open: Option<(&BreakerKey, &str)>) -> Result<(), HoldReason> {
    let Some((breaker, reason)) = open else {
        return Ok(());
    };
    tracing::debug!(order = %order.order_id, %breaker, reason, "waits for a breaker");
    Err(HoldReason::Breaker)
}

fn gate_hold(order: &Order, holds: &HashSet<String>) -> Result<(), HoldReason> {
    if holds.contains(&order.account_id) {
        return Err(HoldReason::Pair);
    }
    Ok(())
}

fn gate_route<'a>(
    inputs: &ClaimInputs,
    channels: &'a [ChannelClient],
    order: &Order,
) -> anyhow::Result<RouteChoice<'a>> {
    inputs.find(channels, order)
}

/// Takes the permit: the last gate, so that none is taken for an order that stays.
fn gate_permit(path: &SendPath<'_>, order: &Order) -> Result<Option<CallPermit>, HoldReason> {
    path.permit(order).map_err(|()| HoldReason::Channel)
}
