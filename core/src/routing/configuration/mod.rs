//! Configurations of routing: drafts of rows, checked sets, their versions in the tables
//! and as a file, and the one in force.

pub mod active;
pub mod change;
mod check;
mod check_rule;
mod compile;
pub mod content_repo;
pub mod draft;
pub mod file;
mod file_format;
mod file_value;
mod file_writer;
mod insert_repo;
mod items;
mod rule;
pub mod set;
pub mod version_repo;
