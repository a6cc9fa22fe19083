//! The order of findings, so that several evaluators, each with a part of the
//! rules, together say what one would.

use crate::rules::runtime::rule_call::RuleRun;

/// The place in a batch of inputs at which something was found: what one evaluator of all rules
/// finds comes in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingOrder {
    pub input: usize,
    /// Of the transaction; rules of whole transactions come after all of them.
    pub change: usize,
    /// The rule whose turn it was.
    pub turn: usize,
}

/// The order of each finding and error since they were last taken.
#[derive(Debug, Default)]
pub struct FindingOrders {
    pub findings: Vec<FindingOrder>,
    pub errors: Vec<FindingOrder>,
    pub inputs: usize,
}

impl FindingOrders {
    pub fn next_input(&mut self) {
        self.inputs += 1;
    }
}

/// Records of everything new which rule's turn at which change it was.
pub fn record_order(
    orders: &mut Option<FindingOrders>,
    run: &RuleRun<'_>,
    change: usize,
    turn: usize,
) {
    if let Some(orders) = orders {
        let order = FindingOrder {
            input: orders.inputs - 1,
            change,
            turn,
        };
        orders.findings.resize(run.out.len(), order);
        orders.errors.resize(run.errors.len(), order);
    }
}
