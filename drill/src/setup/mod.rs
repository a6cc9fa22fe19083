//! Private servers and child processes. Whatever is started here is killed when
//! its handle is dropped; nothing outside the given directories is touched.

pub mod database_users;
pub mod mariadb;
pub mod mysql;
pub mod ports;
pub mod process;
pub mod secrets;
mod template;

pub mod debezium;
pub mod embedded_kafka;
pub mod jars;
pub mod kafka_broker;
pub mod required_tools;

pub use crate::setup::embedded_kafka::EmbeddedKafka;
pub use crate::setup::kafka_broker::{BrokerSecurity, KafkaBroker};
pub use crate::setup::mariadb::{MariadbOptions, MariadbServer};
pub use crate::setup::mysql::MysqlServer;
pub use crate::setup::process::{ChildProcess, ProgramSpec};
pub use template::copy_dir;
