//! The withdrawal core (出金): accepts orders over HTTP, reserves and books the
//! money, pays each order exactly once through a channel, and brings it to its end.

pub mod config;
mod gather;
pub mod schema;

pub mod accept;
pub mod api;
pub mod balance;
pub mod cases;
pub mod channels;
pub mod desk;
pub mod dispatch;
pub mod guard;
pub mod history;
pub mod intake;
pub mod journal;
pub mod ledger;
pub mod orders;
pub mod outcome;
pub mod recovery;
pub mod relay;
pub mod routing;
pub mod saga;

pub mod metrics;
pub mod service;
