//! The torn tail of a segment whose recorder was killed.

use crate::recording::format::segment::RecordingSegment;
use crate::recording::format::segment_scan as segment;
use std::fs::OpenOptions;

/// Cuts off what was being written when the last recorder was killed; returns how many
/// records the recording has. `None` if the segment tells nothing.
pub fn truncate_torn_tail(last: &mut RecordingSegment) -> anyhow::Result<Option<u64>> {
    let bytes = std::fs::read(&last.path)?;
    let name = last.path.display();
    let scan = match segment::scan(&bytes) {
        Ok(scan) => scan,
        Err(error) => {
            // Left for the reader, which says so too.
            tracing::warn!(segment = %name, error = %format!("{error:#}"), "a segment of the recording can't be read");
            return Ok(None);
        }
    };
    if scan.good < bytes.len() {
        tracing::warn!(
            segment = %name, at = scan.good, cut = bytes.len() - scan.good,
            "the last recorder was killed while it wrote a block: its beginning is cut off"
        );
        OpenOptions::new()
            .write(true)
            .open(&last.path)?
            .set_len(scan.good as u64)?;
        last.bytes = scan.good as u64;
    }
    Ok(Some(scan.records))
}
