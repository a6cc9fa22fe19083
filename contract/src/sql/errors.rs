//! Classes of errors: run again, a duplicate, a connection that is gone.

use mysql_async::Error;

/// Deadlock, lock wait, changed snapshot, a primary that is being switched.
pub fn is_retryable(error: &Error) -> bool {
    match error {
        Error::Server(e) => matches!(e.code, 1020 | 1205 | 1213) || e.message.contains("VT15001"),
        _ => false,
    }
}

/// A UNIQUE key refused the row.
pub fn is_duplicate(error: &Error) -> bool {
    matches!(error, Error::Server(e) if e.code == 1062)
}

/// The connection broke, or the server is going away: whether a commit took
/// place is unknown.
pub fn is_disconnect(error: &Error) -> bool {
    match error {
        Error::Server(e) => matches!(e.code, 1053 | 1927 | 1040 | 1158 | 1159 | 1160 | 1161),
        Error::Io(_) => true,
        Error::Driver(_) => true,
        _ => false,
    }
}

/// Whether the same may work a moment later: a deadlock, a broken connection, a
/// silence. Everything else fails again, whatever is tried.
pub fn is_transient(error: &anyhow::Error) -> bool {
    let server = error.downcast_ref::<Error>();
    server.is_some_and(|e| is_retryable(e) || is_disconnect(e))
        || error.is::<tokio::time::error::Elapsed>()
}
