//! The contract of core and sidecar: money, ids, states, events, breaker points,
//! provenance, wire types, and the conventions under which both use MySQL, settings,
//! listeners, TLS and telemetry. No policy lives here.

pub mod breaker;
pub mod clock;
pub mod event;
pub mod heartbeat;
pub mod ids;
pub mod kafka;
pub mod keys;
pub mod listener;
pub mod money;
pub mod order;
pub mod outside_time;
pub mod provenance;
pub mod request_signing;
pub mod schema;
pub mod settings;
pub mod shutdown;
pub mod signing;
pub mod sql;
pub mod string_enum;
pub mod supervisor;
pub mod telemetry;
pub mod tls;
pub mod traces;
pub mod transaction_key;
pub mod vault;
pub mod wire;
