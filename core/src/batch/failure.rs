//! Classes of failures: the only place where the core reads from an error whether trying
//! again may help.

use mysql_async::Error;
use sluice_contract::sql::{is_disconnect, is_duplicate, is_lock_timeout, is_retryable};
use tokio::time::error::Elapsed;

/// Class of a failed transaction, by what it says of the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// Deadlock, changed snapshot, a primary that is being switched: the transaction was
    /// rolled back, nothing was written.
    Conflict,
    /// Somebody holds the lock of one of the rows for long: only the items that need this
    /// row have to wait. Nothing was written.
    Locked,
    /// A UNIQUE key refused a row. The next try has to read first, if the writer has
    /// something to look up; otherwise it is the request's own fault.
    Duplicate,
    /// The connection broke, was silent for too long, or leads to a server that only
    /// reads: whether the commit took place is unknown, and it is of no more use.
    Disconnected,
    /// The server refuses a statement for good: one request of the batch is at fault.
    Refused,
    /// Not the server's word: a row that can't be read, an amount that doesn't fit.
    Internal,
}

/// The database fell silent before this item's turn: it was not tried.
#[derive(Debug, thiserror::Error)]
#[error("not tried: the database has fallen silent")]
pub(super) struct DatabaseSilent;

impl FailureClass {
    /// Reads the class from the error or from what it was made of.
    pub fn of(error: &anyhow::Error) -> Self {
        if error.is::<Elapsed>() || error.is::<DatabaseSilent>() {
            return FailureClass::Disconnected;
        }
        match error.downcast_ref::<Error>() {
            Some(e) if is_duplicate(e) => FailureClass::Duplicate,
            Some(e) if is_lock_timeout(e) => FailureClass::Locked,
            Some(e) if is_retryable(e) => FailureClass::Conflict,
            Some(e) if is_disconnect(e) => FailureClass::Disconnected,
            Some(Error::Server(_)) => FailureClass::Refused,
            Some(Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_)) | None => {
                FailureClass::Internal
            }
        }
    }

    /// Tells whether the same may work a moment later. Everything else fails again,
    /// whatever is tried.
    pub fn is_transient(self) -> bool {
        match self {
            FailureClass::Conflict | FailureClass::Locked | FailureClass::Disconnected => true,
            FailureClass::Duplicate | FailureClass::Refused | FailureClass::Internal => false,
        }
    }
}
