//! What `sluice` drills with: channel simulators that keep their own book, private
//! servers and processes, load, faults, the demo's story, and the benchmark. The
//! programs under test run as processes and are spoken to like anybody else
//! would; only floors and probes link parts of them, to be the same to the byte.

pub mod bench;
pub mod channels;
pub mod checks;
pub mod commands;
pub mod faults;
pub mod load;
pub mod setup;
pub mod stage;
pub mod story;

pub mod cli;
pub mod output;
