//! The measuring instrument: requests over HTTP and events over Kafka, made so
//! cheaply that the server on the same two cores is what is measured.

pub mod events;
pub mod http;
mod report;
pub mod request;

pub mod generator;

pub use crate::load::generator::{ClosedLoad, LoadEnd, OpenLoad, closed, open};
pub use crate::load::report::LoadReport;
pub use events::EventProducer;
