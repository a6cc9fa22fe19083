//! The measuring instrument: requests over HTTP and events over Kafka, made so
//! cheaply that the server on the same two cores is what is measured.

pub mod events;
pub mod http;
mod report;
pub mod request;
mod run;

pub use events::EventProducer;
pub use report::Report;
pub use run::{Closed, Open, Until, closed, open};
