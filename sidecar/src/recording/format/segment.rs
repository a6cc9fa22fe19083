//! Segments of a recording's folder: `0000000001.rec`, each with a header, blocks and an end.

use std::path::{Path, PathBuf};

const FILE_EXTENSION: &str = "rec";
/// A segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSegment {
    pub number: u64,
    pub path: PathBuf,
    pub bytes: u64,
}

/// Lists all segments of a folder, oldest first.
pub fn list(dir: &Path) -> std::io::Result<Vec<RecordingSegment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| stem.parse().ok());
        if let Some(number) =
            number.filter(|_| path.extension().is_some_and(|e| e == FILE_EXTENSION))
        {
            let bytes = std::fs::metadata(&path)?.len();
            found.push(RecordingSegment {
                number,
                path,
                bytes,
            });
        }
    }
    found.sort_by_key(|segment| segment.number);
    Ok(found)
}

pub fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.{FILE_EXTENSION}"))
}
