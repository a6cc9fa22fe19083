//! Private servers and child processes. Whatever is started here is killed when
//! its handle is dropped; nothing outside the given directories is touched.

pub mod kafka;
pub mod mariadb;
pub mod missing;
pub mod mysql;
pub mod ports;
pub mod process;
pub mod secrets;
mod template;

pub use kafka::Kafka;
pub use mariadb::{Mariadb, MariadbOptions};
pub use mysql::Mysql;
pub use process::{Process, Program};
