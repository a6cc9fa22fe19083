//! Classes of errors: run again, a duplicate, a connection that is gone.

use mysql_async::{DriverError, Error};

/// Deadlock, lock wait, changed snapshot, a commit that the group rolled back, a primary
/// that is being switched.
pub fn is_retryable(error: &Error) -> bool {
    match error {
        Error::Server(e) => {
            matches!(e.code, 1020 | 1213 | 1317 | 3101)
                || e.message.contains("VT15001")
                || is_lock_timeout(error)
        }
        _ => false,
    }
}

/// Somebody else holds a row's lock for longer than is waited for one, or at all if the
/// statement said NOWAIT. One row's matter, never the server's.
pub fn is_lock_timeout(error: &Error) -> bool {
    matches!(error, Error::Server(e) if matches!(e.code, 1205 | 3572))
}

/// A UNIQUE key refused the row.
pub fn is_duplicate(error: &Error) -> bool {
    matches!(error, Error::Server(e) if e.code == 1062)
}

/// The connection broke, or leads to a server that is going away, only reads, or has no
/// room left: whether a commit took place is unknown, and a new connection may lead to a
/// better one.
pub fn is_disconnect(error: &Error) -> bool {
    match error {
        Error::Server(e) => match e.code {
            // Too many connections, a shutdown, a killed session, an idle one.
            1040 | 1053 | 1203 | 1226 | 1927 | 3169 | 4031 => true,
            // The network's packets.
            1158..=1161 => true,
            // A primary that was demoted, or that may not commit.
            1290 | 1792 | 1836 | 3100 => true,
            // Disk full.
            1021 | 1114 => true,
            _ => false,
        },
        Error::Io(_) => true,
        // The others are about a statement or a row, and follow it to any server.
        Error::Driver(e) => matches!(
            e,
            DriverError::ConnectionClosed
                | DriverError::PoolDisconnected
                | DriverError::PacketOutOfOrder
                | DriverError::UnexpectedPacket { .. }
        ),
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
