//! Tests of rules by their authors: cases, timelines, coverage.

pub mod case_file;
pub mod cases;
pub mod compare;
pub mod coverage;
pub mod timeline;
pub mod written_event;
pub mod written_fact;
pub mod written_row;
pub mod written_values;
