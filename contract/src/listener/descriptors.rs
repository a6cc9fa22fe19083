//! File descriptors for every connection that the listeners allow: at the system's limit a
//! program can't accept, nor call, nor open a file, so that limit must never be met.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of everything but the listeners: databases, channels, Kafka, files.
const OWN_DESCRIPTORS: u64 = 1_024;

/// Raises the process' soft limit so that `connections` fit beside its own descriptors.
///
/// # Errors
/// The hard limit is lower; the message says what to raise or lower.
pub fn reserve_descriptors(connections: usize) -> anyhow::Result<()> {
    let needed = connections as u64 + OWN_DESCRIPTORS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|limit| limit >= needed) {
        return Ok(());
    }
    if let Some(limit) = maximum.filter(|limit| *limit < needed) {
        bail!(
            "the system allows this process {limit} open files, and its listeners may need {needed}: \
             raise the limit (ulimit -Hn, LimitNOFILE) or lower max_connections of the listeners"
        );
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(needed),
            maximum,
        },
    )?;
    Ok(())
}
