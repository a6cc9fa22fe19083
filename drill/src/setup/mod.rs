//! Private servers and child processes. Whatever is started here is killed when
//! its handle is dropped; nothing outside the given directories is touched.

pub mod broker;
pub mod capture;
pub mod kafka;
pub mod mariadb;
pub mod missing;
pub mod mysql;
pub mod ports;
pub mod process;
pub mod secrets;
mod template;
pub mod tools;

pub use broker::Broker;
pub use kafka::Kafka;
pub use mariadb::{Mariadb, MariadbOptions};
pub use mysql::Mysql;
pub use process::{Process, Program};
pub use template::copy_dir;
