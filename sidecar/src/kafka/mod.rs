//! The Kafka source: business events, the offsets told to the consumer group, and dead
//! letters.

pub mod consumer;
pub mod dead_letters;
pub mod group_offsets;
pub mod settings;
