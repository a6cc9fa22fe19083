//! Kinds of variables that a rule reads, by which its names are checked.

use crate::stream::change::AuditSubject;

/// What a variable is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableKind {
    Row(usize),
    Image(usize),
    Event,
    Tx,
    Earlier,
    AtRest(AuditSubject),
}
