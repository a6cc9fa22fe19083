//! The order of what is found, so that several evaluators, each with a part of the
//! rules, together say what one would.

use super::run::Run;

/// Where in a batch of inputs something was found: what one evaluator of all rules
/// finds comes in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub input: usize,
    /// Of the transaction; rules of whole transactions come after all of them.
    pub change: usize,
    /// Whose turn it was.
    pub turn: usize,
}

/// A place for each finding and error since they were last taken.
#[derive(Debug, Default)]
pub struct Places {
    pub findings: Vec<Place>,
    pub errors: Vec<Place>,
    pub inputs: usize,
}

impl Places {
    pub fn next_input(&mut self) {
        self.inputs += 1;
    }
}

/// Says of everything new which rule's turn at which change it was.
pub fn note(places: &mut Option<Places>, run: &Run<'_>, change: usize, turn: usize) {
    if let Some(places) = places {
        let place = Place {
            input: places.inputs - 1,
            change,
            turn,
        };
        places.findings.resize(run.out.len(), place);
        places.errors.resize(run.errors.len(), place);
    }
}
