//! `sluice-drill`: channel simulators that keep their own book, private servers and
//! processes, load, faults, the demo's story, and the benchmark. The programs under test
//! run as processes and are spoken to like anybody else would; only floors and probes
//! link parts of them, to be the same to the byte.
//!
//! Folders from the ground up, each importing only from those before it:
//! `load` < `channels` < `setup`, `checks` < `stage` < `output` < `faults` < `story` <
//! `bench` < `commands`.

pub mod load;

pub mod channels;

pub mod checks;
pub mod setup;

pub mod stage;

pub mod output;

pub mod faults;

pub mod story;

pub mod bench;

pub mod commands;
