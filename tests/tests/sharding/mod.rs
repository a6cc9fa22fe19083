//! The schema and the SQL of core and contract keep to what a sharded engine can do
//! (docs/SHARDING.md), so that a later move only has to run it there. The SQL is read
//! out of the sources: string literals, joined where one statement is put together.

mod checker;
mod migrations;
mod sources;
mod sql_checks;
mod statements_of_core;
mod tables;
