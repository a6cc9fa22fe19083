//! Actions that somebody may ask for on one order: a file each, with the input that the
//! action hands to the state function, the check before it, and its answer.
//!
//! A new action is a file here, a variant of [`OrderAction`] with its three arms, and its
//! input in `orders/input.rs`; `http/actions.rs` serves every action of the list.

mod acknowledge;
mod cancel;
mod renotify;

use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::{OrderOutcome, OutcomeRecorder, OutcomeResult};
use sluice_contract::string_enum;
use sluice_contract::wire::ApiCode;

string_enum! {
    /// An action on one order; the word is the last part of its path.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderAction("an action on an order") {
        /// The caller takes an order back before it is sent.
        Cancel = "cancel",
        /// The upstream says that it knows the end.
        Acknowledge = "ack",
        /// The upstream wants the order's last event once more.
        Renotify = "renotify",
    }
}

/// An action that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionDone {
    /// The order's state as upstreams see it after the action.
    pub shown: &'static str,
    /// The action has an effect that is still to come, such as an event to be published.
    pub is_under_way: bool,
}

/// A refusal of an action; the order stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ActionRefusal {
    pub code: ApiCode,
    pub text: String,
}

impl ActionRefusal {
    fn new(code: ApiCode, text: impl Into<String>) -> Self {
        ActionRefusal {
            code,
            text: text.into(),
        }
    }
}

impl OrderAction {
    /// Carries the action out, through the state function as every other input.
    ///
    /// # Errors
    /// The order is not where the action applies, or the database did not take it.
    pub async fn carry_out(
        self,
        outcomes: &OutcomeRecorder,
        order: &Order,
    ) -> Result<ActionDone, ActionRefusal> {
        self.check(order)?;
        let outcome = OrderOutcome::new(order.at(), self.input());
        let result = outcomes
            .record(outcome)
            .await
            .map_err(|e| ActionRefusal::new(ApiCode::Unavailable, e.to_string()))?;
        self.answer(order, result)
    }

    fn input(self) -> OrderInput {
        match self {
            OrderAction::Cancel => OrderInput::Cancel,
            OrderAction::Acknowledge => OrderInput::Acknowledged,
            OrderAction::Renotify => OrderInput::Renotify,
        }
    }

    /// Refuses what can't succeed, before anything is written.
    fn check(self, order: &Order) -> Result<(), ActionRefusal> {
        match self {
            OrderAction::Cancel => cancel::check(order),
            OrderAction::Acknowledge | OrderAction::Renotify => Ok(()),
        }
    }

    fn answer(self, order: &Order, result: OutcomeResult) -> Result<ActionDone, ActionRefusal> {
        match self {
            OrderAction::Cancel => cancel::answer(order, result),
            OrderAction::Acknowledge => acknowledge::answer(order, result),
            OrderAction::Renotify => renotify::answer(order, result),
        }
    }
}
