//! Reasons why reading stopped.

use mysql_async::{Error, ServerError};

/// A position that the server does not have any more, or never had.
const POSITION_LOST_ERROR: u16 = 1236;

/// A reason why reading stopped.
pub enum BinlogStop {
    Cancelled,
    /// The connection: reconnect from what was handed over.
    Broken(String),
    /// An event that can't be read: blind until somebody mends it.
    Unreadable(String),
    /// Another host took over: this leadership ends, the next begins at its checkpoint.
    Moved,
    /// The server has not got what comes next.
    Lost(String),
}

/// Whether the server can't send from there. The same number also says that another
/// replica took our `server_id`, or that an event is larger than the server may send:
/// the position is still there then.
pub fn is_lost(error: &ServerError) -> bool {
    let other = ["same server", "max_allowed_packet"];
    error.code == POSITION_LOST_ERROR && !other.iter().any(|words| error.message.contains(words))
}

pub fn lost(why: &str) -> BinlogStop {
    BinlogStop::Lost(format!(
        "position lost: {why}; it waits for a person: docs/RUNBOOK.md, \"What was never checked\" (on_lost_position = \
         \"check\" audits the data at rest, trips every point and reads on)"
    ))
}

/// The reason that an error is: the server's own, or the text of another.
pub fn classify(error: Result<Error, String>) -> BinlogStop {
    match error {
        Ok(Error::Server(e)) if is_lost(&e) => lost(&e.message),
        Ok(Error::Server(e)) if e.code == POSITION_LOST_ERROR => BinlogStop::Unreadable(e.message),
        Ok(error) => BinlogStop::Broken(error.to_string()),
        Err(text) => BinlogStop::Broken(text),
    }
}
