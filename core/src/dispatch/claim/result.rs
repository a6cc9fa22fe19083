//! Result of a claim: its orders by what was decided about them, and the writes that
//! follow.

use crate::channels::SendBy;
use crate::channels::permits::CallPermit;
use crate::dispatch::claim::gates::{ClaimDecision, HoldReason};
use crate::dispatch::claim::grant::take;
use crate::dispatch::claim::inputs::ClaimInputs;
use crate::dispatch::claim::rejections::record_rejections;
use crate::metrics::METRICS;
use crate::orders::history::{OrderTransition, UNROUTED_EVENT};
use crate::orders::repo::Attempt;
use crate::orders::state::OrderInput;
use crate::orders::{AlteredOrder, Order, OrderRef, SealBreach};
use crate::routing::limits::LimitTotal;
use crate::unit_of_work::UnitOfWork;
use sluice_contract::order::OrderState;
use std::collections::{HashMap, HashSet};

/// An order that is ours to send, with its call permit if it needs one.
pub(in crate::dispatch) struct ClaimedOrder {
    pub order: Order,
    pub permit: Option<CallPermit>,
    /// Past it the request is not written: whoever was stalled since the claim sends nothing.
    pub send_by: SendBy,
}

/// Effects of a claim, to be performed once it is committed.
#[derive(Default)]
pub(in crate::dispatch) struct ClaimEffects {
    /// Orders that no channel will ever take.
    pub failing: Vec<UnroutableOrder>,
    /// Orders that somebody changed beside the core.
    pub altered: Vec<AlteredOrder>,
    /// Open breakers that this version does not know.
    pub unknown_breakers: Vec<String>,
}

/// An order that no channel will ever take.
pub(in crate::dispatch) struct UnroutableOrder {
    pub at: OrderRef,
    /// A channel had it: what that said stays its result.
    pub declined: bool,
}

/// Orders of one claim, by what becomes of them.
#[derive(Default)]
pub(super) struct ClaimResult {
    pub claimed: Vec<ClaimedOrder>,
    pub effects: ClaimEffects,
    /// No channel takes them now, for a reason that is new.
    unrouted: Vec<Order>,
    held: HashMap<HoldReason, i64>,
}

impl ClaimResult {
    /// Takes one order, and changes it as was decided.
    ///
    /// # Errors
    /// A total that can't hold the order, or a trade time that can't be made.
    pub fn add(
        &mut self,
        inputs: &mut ClaimInputs,
        mut order: Order,
        decision: ClaimDecision<'_>,
        now: i64,
    ) -> anyhow::Result<()> {
        match decision {
            ClaimDecision::Skip => {}
            // Polling, a change of the routing or a free permit brings it back.
            ClaimDecision::Hold(by) => self.hold(by),
            ClaimDecision::NoRoute(decision) => {
                self.hold(HoldReason::Route);
                if decision.fails {
                    self.effects.failing.push(UnroutableOrder {
                        at: order.at(),
                        declined: order.attempts > 0,
                    });
                }
                if record_rejections(&mut order, &decision.route, now)? {
                    self.unrouted.push(order);
                }
            }
            ClaimDecision::Claim(grant) => {
                self.claimed.push(take(order, inputs, grant, now)?);
            }
        }
        Ok(())
    }

    /// Notes an order whose seal does not hold: it is neither sent nor written, so that no
    /// signature of ours covers what somebody else has put there.
    pub fn set_altered(&mut self, order: &Order, breach: SealBreach) {
        self.hold(HoldReason::Altered);
        let at = order.at();
        self.effects.altered.push(AlteredOrder { at, breach });
    }

    /// Tells whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.claimed.is_empty() && self.unrouted.is_empty()
    }

    /// Makes the writes. Orders in `live` are sent again under the attempt they have.
    pub fn unit_of_work(&self, live: &HashSet<String>, totals: Vec<LimitTotal>) -> UnitOfWork<'_> {
        let new = self.orders().filter(|o| !live.contains(&o.order_id));
        let claims = self
            .orders()
            .map(|o| OrderTransition::of(o, OrderState::Init, OrderInput::Claim.as_str()));
        let unrouted = self
            .unrouted
            .iter()
            .map(|o| OrderTransition::of(o, o.state, UNROUTED_EVENT));
        UnitOfWork {
            moved_orders: self.orders().chain(&self.unrouted).collect(),
            moves: claims.chain(unrouted).collect(),
            new_attempts: new.map(sent).collect(),
            totals,
            ..UnitOfWork::default()
        }
    }

    /// Shows how many orders each gate has held back.
    pub fn show_held(&self) {
        // Orders of held accounts are counted where they wait.
        for by in HoldReason::ALL
            .into_iter()
            .filter(|by| *by != HoldReason::Pair)
        {
            let held = self.held.get(&by).copied().unwrap_or(0);
            METRICS.blocked.with_label_values(&[by.as_str()]).set(held);
        }
    }

    /// Counts the claims that were committed.
    pub fn count_claimed(&self) {
        let count = self.claimed.len() as u64;
        METRICS.claimed.inc_by(count);
        METRICS
            .orders
            .with_label_values(&[OrderState::Dispatching.as_str()])
            .inc_by(count);
    }

    fn hold(&mut self, by: HoldReason) {
        *self.held.entry(by).or_default() += 1;
    }

    fn orders(&self) -> impl Iterator<Item = &Order> {
        self.claimed.iter().map(|c| &c.order)
    }
}

fn sent(order: &Order) -> Attempt<'_> {
    Attempt {
        order,
        channel: order.channel.as_deref().unwrap_or_default(),
        state: "sent",
        live: true,
    }
}
