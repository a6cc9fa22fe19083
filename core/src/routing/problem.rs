//! Problems of a configuration.

use std::fmt;

/// Problem of a configuration, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingProblem {
    /// Place such as `rule single_limit`: a key of `file::RoutingLineNumbers`.
    pub place: String,
    pub what: String,
}

impl RoutingProblem {
    /// Makes a problem.
    pub fn new(place: &str, what: impl Into<String>) -> Self {
        RoutingProblem {
            place: place.to_owned(),
            what: what.into(),
        }
    }
}

impl fmt::Display for RoutingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
