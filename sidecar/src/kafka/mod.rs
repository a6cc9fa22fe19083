//! The Kafka source: business events, the offsets told to the consumer group, and dead
//! letters.

mod assign;
pub mod consumer;
pub mod dead_letters;
mod ends;
mod event;
pub mod group_offsets;
mod reader;
pub mod settings;
