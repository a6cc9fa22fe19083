//! Helpers of the whole-system tests: a small stage of their own, and the invariants
//! after every scenario.

mod chances;
mod histories;
mod proxy;
mod published;
mod stage;
mod waiting;

pub use crate::chances::{bad_day, seed};
pub use crate::proxy::SilentProxy;
pub use crate::published::PublishedMessage;
pub use crate::stage::{TestStage, options};
pub use crate::waiting::{mysql_server, until};

use std::path::{Path, PathBuf};

/// The top of the checkout.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// The end of a log, for failures.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|l| !l.contains(" INFO ")).collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
