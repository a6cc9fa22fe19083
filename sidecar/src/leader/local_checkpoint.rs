//! This host's own copy of the checkpoint: a signed file beside the database. Whoever
//! deletes the row can't make a sidecar believe in a first start where this is left.

use crate::guard_rows::GuardRows;
use crate::leader::checkpoint_repo::CheckpointRow;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sluice_contract::provenance::{copy_mac, is_copy};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for the file: tokens wait behind it, and a folder on a volume that hangs must
/// not stop them.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
const FILE_NAME: &str = "checkpoint.json";
/// Stands where a source's name would: the mark of signed rows, its version in the place of
/// `replay_from`. So the one MAC covers it too.
const MARK_SOURCE: &str = "guard_seal";
/// Likewise the time from which on each ledger entry must have a seal.
const ENTRIES_SOURCE: &str = "guard_seal/entries";

/// The copy's file; without a folder nothing is kept. Clones share it.
#[derive(Clone)]
pub struct LocalCheckpoint {
    folder: Option<Arc<Path>>,
    rows: GuardRows,
    /// A write that was not waited for any longer goes on: no other begins until it ends.
    is_writing: Arc<AtomicBool>,
}

/// A source's position in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CopiedPosition {
    source: String,
    position: String,
    replay_from: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct CopyFile {
    epoch: i64,
    sources: Vec<CopiedPosition>,
    mac: String,
}

impl LocalCheckpoint {
    pub fn new(folder: Option<PathBuf>, rows: GuardRows) -> Self {
        LocalCheckpoint {
            folder: folder.map(Into::into),
            rows,
            is_writing: Arc::default(),
        }
    }

    /// Replaces the file by these rows, which are committed. The database's are what counts: a
    /// file that can't be written is told, and stops nothing.
    pub async fn keep(&self, epoch: i64, rows: &[CheckpointRow]) {
        let Some(folder) = self.folder.clone() else {
            return;
        };
        let mark = self.rows.mark().map(|mark| CopiedPosition {
            source: MARK_SOURCE.to_owned(),
            position: mark.position,
            replay_from: mark.version.to_string(),
        });
        let sources: Vec<CopiedPosition> = rows
            .iter()
            .map(|row| CopiedPosition {
                source: row.source.clone(),
                position: row.position.clone(),
                replay_from: row.replay_from.clone(),
            })
            .chain(mark)
            .chain(self.rows.entries_from_us().map(|from_us| CopiedPosition {
                source: ENTRIES_SOURCE.to_owned(),
                position: from_us.to_string(),
                replay_from: String::new(),
            }))
            .collect();
        let mac = copy_mac(self.rows.keys().current(), epoch, &texts(&sources));
        let file = CopyFile {
            epoch,
            sources,
            mac,
        };
        if let Err(error) = self.write(folder, file).await {
            tracing::error!("this host's copy of the checkpoint can't be written: {error:#}");
        }
    }

    async fn write(&self, folder: Arc<Path>, file: CopyFile) -> anyhow::Result<()> {
        let is_free = !self.is_writing.swap(true, Ordering::AcqRel);
        ensure!(is_free, "an earlier write still hangs");
        let is_writing = Arc::clone(&self.is_writing);
        let writing = tokio::task::spawn_blocking(move || {
            let written = replace(&folder, &file);
            is_writing.store(false, Ordering::Release);
            written
        });
        let written = tokio::time::timeout(WRITE_TIMEOUT, writing).await;
        written.context("it takes more than a second")??
    }

    /// Reads the mark of signed rows as it was known at the last checkpoint: version, position,
    /// and the time from which on each ledger entry must have a seal.
    pub fn read_mark(&self) -> Option<(i64, String, Option<i64>)> {
        let copy = self.read(MARK_SOURCE)?;
        let entries = self.read(ENTRIES_SOURCE);
        let from_us = entries.and_then(|copy| copy.position.parse().ok());
        Some((copy.replay_from.parse().ok()?, copy.position, from_us))
    }

    /// Reads this host's copy of a source's position. One that is not genuine is told, and
    /// is none.
    pub fn read(&self, source: &str) -> Option<CheckpointRow> {
        let folder = self.folder.as_deref()?;
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            return None;
        }
        let read = self.read_file(&path);
        let sources = read
            .inspect_err(|error| tracing::error!("{}: {error:#}; ignored", path.display()))
            .ok()?;
        let found = sources.into_iter().find(|copy| copy.source == source)?;
        Some(CheckpointRow {
            source: found.source,
            position: found.position,
            replay_from: found.replay_from,
        })
    }

    fn read_file(&self, path: &Path) -> anyhow::Result<Vec<CopiedPosition>> {
        let text = std::fs::read(path).context("it can't be read")?;
        let file: CopyFile = serde_json::from_slice(&text).context("it is no copy")?;
        let is_ours = is_copy(
            self.rows.keys(),
            file.epoch,
            &texts(&file.sources),
            &file.mac,
        );
        ensure!(is_ours, "no sidecar wrote it");
        Ok(file.sources)
    }
}

fn texts(sources: &[CopiedPosition]) -> Vec<[&str; 3]> {
    fn of(copy: &CopiedPosition) -> [&str; 3] {
        [&copy.source, &copy.position, &copy.replay_from].map(String::as_str)
    }
    sources.iter().map(of).collect()
}

/// Writes beside the file, then puts it in its place: a reader sees the one or the other.
fn replace(folder: &Path, file: &CopyFile) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let beside = folder.join(format!("{FILE_NAME}.new"));
    std::fs::write(&beside, serde_json::to_vec(file)?)?;
    Ok(std::fs::rename(beside, folder.join(FILE_NAME))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_contract::settings::Secret;

    fn row(source: &str, position: &str) -> CheckpointRow {
        CheckpointRow {
            source: source.to_owned(),
            position: position.to_owned(),
            replay_from: position.to_owned(),
        }
    }

    #[tokio::test]
    async fn the_last_rows_are_kept_and_a_forged_file_is_none() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let folder = dir.path().join("state");
        let rows = GuardRows::new(Secret::new("0123456789abcdef"));
        let kept = LocalCheckpoint::new(Some(folder.clone()), rows.clone());
        assert_eq!(kept.read("binlog"), None);
        kept.keep(3, &[row("binlog", "0-1-7")]).await;
        let last = [row("binlog", "0-1-9"), row("kafka", "t/0=4")];
        kept.keep(3, &last).await;
        assert_eq!(kept.read("binlog"), Some(last[0].clone()));
        assert_eq!(kept.read("kafka"), Some(last[1].clone()));
        assert_eq!(kept.read("changes"), None);
        assert_eq!(kept.read_mark(), None);
        rows.learn_copy(2, "0-1-4".to_owned(), None);
        kept.keep(3, &last).await;
        assert_eq!(kept.read_mark(), Some((2, "0-1-4".to_owned(), None)));
        rows.learn_copy(3, "0-1-5".to_owned(), Some(7));
        // A later mark forgives nothing that an earlier one asked for.
        rows.learn_copy(4, "0-1-6".to_owned(), Some(9));
        kept.keep(3, &last).await;
        assert_eq!(kept.read_mark(), Some((4, "0-1-6".to_owned(), Some(7))));
        assert_eq!(kept.read("kafka"), Some(last[1].clone()));
        let path = folder.join(FILE_NAME);
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, text.replace("0-1-9", "0-1-99"))?;
        assert_eq!(kept.read("binlog"), None);
        // A folder that hangs: the write behind goes by, and the next one that can be made is.
        kept.is_writing.store(true, Ordering::Release);
        kept.keep(3, &[row("binlog", "0-1-10")]).await;
        assert_eq!(kept.read("binlog"), None);
        kept.is_writing.store(false, Ordering::Release);
        kept.keep(3, &[row("binlog", "0-1-11")]).await;
        assert_eq!(kept.read("binlog"), Some(row("binlog", "0-1-11")));
        let nowhere = LocalCheckpoint::new(None, rows);
        nowhere.keep(3, &last).await;
        assert_eq!(nowhere.read("binlog"), None);
        Ok(())
    }
}
