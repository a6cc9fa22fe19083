//! Private servers and child processes. Whatever is started here is killed when
//! its handle is dropped; nothing outside the given directories is touched.

pub mod missing;
pub mod ports;
pub mod secrets;
pub mod process;
pub mod mariadb;
mod template;
pub mod kafka;

pub use kafka::Kafka;
pub use mariadb::{Mariadb, MariadbOptions};
pub use process::{Process, Program};
