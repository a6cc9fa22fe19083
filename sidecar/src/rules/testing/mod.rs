//! Tests of rules by their authors: cases, timelines, coverage.

pub mod cases;
pub mod coverage;
pub mod instrument;
pub mod timeline;
