//! A rule that is ready to be asked.

use crate::orders::Order;
use crate::routing::NoRouteAction;
use crate::routing::conditions::{CompiledCondition, ConditionDetails, ConditionEngine};
use jiff::civil::DateTime;
use std::collections::HashMap;

/// One rule with its details filled in, per channel it applies to.
#[derive(Debug)]
pub struct RoutingRule {
    pub rule: String,
    pub message: String,
    pub otherwise: NoRouteAction,
    pub(super) condition: CompiledCondition,
    pub(super) details: HashMap<String, ConditionDetails>,
}

/// Refusal of an order by a rule.
pub struct RuleRefusal {
    pub reason: String,
    pub otherwise: NoRouteAction,
}

impl RoutingRule {
    /// Asks whether the order may pass; `None` if it may, or if the rule isn't for this
    /// channel.
    pub(super) fn refuses(
        &self,
        conditions: &ConditionEngine,
        order: &Order,
        channel: &str,
        local: DateTime,
    ) -> Option<RuleRefusal> {
        let details = self.details.get(channel)?;
        match conditions.holds(&self.condition, order, channel, local, details) {
            Ok(true) => None,
            Ok(false) => Some(RuleRefusal {
                reason: filled(self, order, details),
                otherwise: self.otherwise,
            }),
            // Nothing is known against the order: it waits for a mended rule.
            Err(error) => Some(RuleRefusal {
                reason: format!("can't be evaluated: {error}"),
                otherwise: NoRouteAction::Wait,
            }),
        }
    }
}

/// Fills the rule's message: `{name}` stands for a detail or a field of the order.
fn filled(rule: &RoutingRule, order: &Order, details: &ConditionDetails) -> String {
    let mut text = rule.message.clone();
    if !text.contains('{') {
        return text;
    }
    for (name, detail) in details {
        text = text.replace(&format!("{{{name}}}"), &detail.shown());
    }
    let of_order = [
        ("amount", order.amount.normalize().to_string()),
        ("currency", order.currency.to_string()),
        ("account", order.account_id.clone()),
        ("to_account", order.to_account.clone()),
        ("bank", order.bank.clone().unwrap_or_default()),
    ];
    of_order.iter().fold(text, |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}
