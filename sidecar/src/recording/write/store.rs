//! The store of segments.

use std::fs::{File, OpenOptions};
use std::io::{Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A place where segments are written; tests put a full disk in its place.
pub trait SegmentStore: Send {
    fn create(&mut self, path: &Path) -> Result<Box<dyn SegmentSink>>;
}

/// A segment being written.
pub trait SegmentSink: Write + Send {
    fn sync(&mut self) -> Result<()>;
}

/// The file system; files are for their owner alone, as rows hold names of accounts.
pub struct SegmentFiles;

impl SegmentStore for SegmentFiles {
    fn create(&mut self, path: &Path) -> Result<Box<dyn SegmentSink>> {
        Ok(Box::new(
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?,
        ))
    }
}

impl SegmentSink for File {
    fn sync(&mut self) -> Result<()> {
        self.sync_data()
    }
}
