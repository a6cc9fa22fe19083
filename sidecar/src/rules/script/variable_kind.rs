//! Kinds of variables that a rule reads, by which its names are checked.

use crate::stream::change::AuditSubject;

/// The kind of value that a variable is known to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableKind {
    Row(usize),
    Image(usize),
    Event,
    Tx,
    Earlier,
    AtRest(AuditSubject),
}
