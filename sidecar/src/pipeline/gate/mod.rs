//! Gates hold a fence token until every other source is read up to its end offsets.

pub mod barrier;
pub mod elsewhere;
