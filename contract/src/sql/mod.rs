//! SQL as both programs use it: session settings, literals for multi-row statements, and
//! the errors after which a transaction is run again.

mod conn;
mod connection;
mod errors;
mod literals;
mod pool;
mod server;
mod session;

pub use crate::sql::conn::{CALL_TIMEOUT, Conn};
pub use crate::sql::connection::{
    TRANSACTION_TIMEOUT, connect, options, options_of, pool, pool_of,
};
pub use crate::sql::errors::{
    is_disconnect, is_duplicate, is_lock_timeout, is_retryable, is_transient,
};
pub use crate::sql::literals::{SqlLiteral, in_list, pair_list, push_lit, push_row};
pub use crate::sql::pool::Pool;
pub use crate::sql::server::ServerIdentity;

#[cfg(test)]
mod tests;
