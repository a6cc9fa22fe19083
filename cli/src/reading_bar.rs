//! A progress bar over the bytes of a file that is read.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// Draws how much of a file is read, and how fast. Nothing is drawn where there is no
/// terminal.
pub struct ReadingBar {
    bar: ProgressBar,
    begun: Instant,
}

impl ReadingBar {
    /// Begins a bar of so many bytes, and its clock.
    pub fn new(bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:40} {percent:>3} % of {total_bytes}, {msg}, {eta} to go",
        ) {
            bar.set_style(style);
        }
        ReadingBar {
            bar,
            begun: Instant::now(),
        }
    }

    /// Shows `read` bytes, and the speed of `changes` row changes since the beginning.
    pub fn show(&self, read: u64, changes: u64) {
        let milliseconds = u64::try_from(self.begun.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.bar.set_position(read);
        self.bar.set_message(format!(
            "{} row changes/s",
            changes.saturating_mul(1_000) / milliseconds
        ));
    }

    /// Takes the bar away; returns the time since it began.
    pub fn finish(&self) -> Duration {
        self.bar.finish_and_clear();
        self.begun.elapsed()
    }
}
