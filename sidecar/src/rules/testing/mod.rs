//! Tests of rules by their authors: cases, timelines, coverage.

pub mod case_file;
pub mod cases;
pub mod compare;
pub mod coverage;
pub mod instrument;
mod instrument_operands;
mod instrument_places;
pub mod instrumented_copy;
pub mod timeline;
pub mod written_event;
pub mod written_fact;
pub mod written_row;
pub mod written_values;
