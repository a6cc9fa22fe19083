//! The binlog source: reads committed transactions of every MySQL or MariaDB server, on its
//! present host.

pub mod hosts;
pub mod preflight;
pub mod reader;
pub mod required_position;
pub mod row_image;
pub mod server_watch;
pub mod servers;
pub mod settings;
pub mod statement;
pub mod transactions;
pub mod verdict_server;
pub mod watched_tables;
