//! The whole system on real servers, and the rules of the house.

mod accounts;
mod apart;
mod bad_input;
mod channels;
mod contradictions;
mod converge;
mod faults;
mod fence;
mod idempotency;
mod intake;
mod kafka;
mod kills;
mod kinds;
mod midnight;
mod recovery;
mod routing;
mod rule_sets;
mod saga;
mod secrets;
mod settings;
mod sharding;
mod style;
