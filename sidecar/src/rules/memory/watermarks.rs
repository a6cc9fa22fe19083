//! Watermarks of the sources: the time up to which each is read.

use crate::stream::change::SourceKind;

/// A watermark of each source: binlog, then Kafka.
pub type SourceWatermarks = [Option<i64>; 2];

pub fn source_index(source: SourceKind) -> usize {
    match source {
        SourceKind::Binlog => 0,
        SourceKind::Kafka => 1,
    }
}
