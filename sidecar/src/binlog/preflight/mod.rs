//! Preflight: whether a server's binlog is complete, readable and durable. Asked at the start
//! and every two seconds after it: somebody may change a variable while we read.

mod inspect;
mod open_stream;
mod position;
mod primary;
mod variables;

pub use crate::binlog::preflight::inspect::inspect;
pub use crate::binlog::preflight::open_stream::open;
pub use crate::binlog::preflight::position::{has_all, position};
pub use crate::binlog::preflight::primary::not_primary;
pub use crate::binlog::preflight::variables::{wrong_variables, wrong_variables_for_feed};
