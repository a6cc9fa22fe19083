//! The machine that the figures were taken on.

use serde::Serialize;
use std::fs::read_to_string;

#[derive(Debug, Serialize)]
pub struct MachineDescription {
    pub cores: usize,
    pub processor: String,
    pub memory_mb: u64,
    pub kernel: String,
}

fn line_after(path: &str, name: &str) -> Option<String> {
    let text = read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Reads the machine's description; a part that can't be read is left empty, for the
/// figures don't depend on it.
pub fn describe() -> MachineDescription {
    let kb = line_after("/proc/meminfo", "MemTotal")
        .and_then(|m| m.split(' ').next()?.parse::<u64>().ok());
    MachineDescription {
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        processor: line_after("/proc/cpuinfo", "model name").unwrap_or_default(),
        memory_mb: kb.unwrap_or(0) / 1_024,
        kernel: read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
            .to_owned(),
    }
}

/// Resident memory of a process, in MB (2²⁰ bytes).
pub fn rss_mb(pid: u32) -> u64 {
    let kb = line_after(&format!("/proc/{pid}/status"), "VmRSS")
        .and_then(|m| m.split(' ').next()?.parse::<u64>().ok());
    kb.unwrap_or(0) / 1_024
}
