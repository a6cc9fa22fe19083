//! Errors of loading name the file, the cause and the next step.

use std::fmt;

/// A file that can't be loaded, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    pub file: String,
    pub cause: String,
    pub next: &'static str,
}

/// Every bad file of a set. The last good set stays in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadErrors(pub Vec<LoadError>);

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, e) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {}; {}", e.file, e.cause, e.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadErrors {}
