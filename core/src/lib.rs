//! The withdrawal core (出金): accepts orders over HTTP, reserves and books the
//! money, pays each order exactly once through a channel, and brings it to its end.

pub mod config;
pub mod schema;

pub mod accept;
pub mod access;
pub mod balance;
pub mod cases;
pub mod channels;
pub mod dispatch;
pub mod guard;
pub mod intake;
pub mod ledger;
pub mod operators;
pub mod orders;
pub mod outcome;
pub mod recovery;
pub mod routing;
pub mod saga;

pub mod metrics;
pub mod service;

pub mod backoff;
pub mod batch;
pub mod http;
pub mod intents;
pub mod lookup;
pub mod outbox_relay;
pub mod quarantine;
pub mod ready_queue;
pub mod transaction;
pub mod unit_of_work;
