//! The fingerprint of the rules folder, which tells an edit without reading the files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Subfolders that are looked into.
const MAX_FOLDER_DEPTH: usize = 4;

/// Names, sizes and times of all files, sorted.
pub(super) type FolderFingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Takes the folder's fingerprint; what can't be read is left out.
pub(super) fn fingerprint(dir: &Path) -> FolderFingerprint {
    let mut found = Vec::new();
    collect(dir, MAX_FOLDER_DEPTH, &mut found);
    found.sort();
    found
}

fn collect(dir: &Path, depth: usize, found: &mut FolderFingerprint) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(meta) = std::fs::metadata(entry.path()) else {
            continue;
        };
        if meta.is_file() {
            found.push((entry.path(), meta.len(), meta.modified().ok()));
        } else if depth > 0 {
            collect(&entry.path(), depth - 1, found);
        }
    }
}
