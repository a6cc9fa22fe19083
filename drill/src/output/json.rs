//! Reports as JSON files.

use anyhow::Context;
use serde::Serialize;
use std::path::Path;

pub fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, serde_json::to_string_pretty(value)? + "\n")
        .with_context(|| format!("can't write {}", path.display()))
}
