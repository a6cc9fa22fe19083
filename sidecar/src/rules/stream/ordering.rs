//! The order of what is found, so that several evaluators, each with a part of the
//! rules, together say what one would.

use crate::rules::runtime::rule_call::RuleRun;

/// Where in a batch of inputs something was found: what one evaluator of all rules
/// finds comes in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingOrder {
    pub input: usize,
    /// Of the transaction; rules of whole transactions come after all of them.
    pub change: usize,
    /// Whose turn it was.
    pub turn: usize,
}

/// A place for each finding and error since they were last taken.
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

/// Says of everything new which rule's turn at which change it was.
pub fn record_order(
    places: &mut Option<FindingOrders>,
    run: &RuleRun<'_>,
    change: usize,
    turn: usize,
) {
    if let Some(places) = places {
        let place = FindingOrder {
            input: places.inputs - 1,
            change,
            turn,
        };
        places.findings.resize(run.out.len(), place);
        places.errors.resize(run.errors.len(), place);
    }
}
