//! What the core and the sidecar agree on: money, ids, states, events, breaker
//! points, provenance, wire types, and the conventions under which both talk to
//! MySQL and to the people who watch them. No policy lives here.

pub mod breaker;
pub mod clock;
pub mod event;
pub mod ids;
pub mod keys;
pub mod money;
pub mod order;
pub mod provenance;
pub mod schema;
pub mod settings;
pub mod shutdown;
pub mod signing;
pub mod sql;
pub mod telemetry;
pub mod wire;
