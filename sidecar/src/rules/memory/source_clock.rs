//! The clock by which memories advance: the watermarks of the sources.

use crate::rules::memory::read_bounds::ReadBounds;
use crate::rules::memory::watermarks::SourceWatermarks;
use crate::stream::change::SourceKind;
use crate::stream::offsets::PartitionOffsets;

/// A source's new watermark, beside all that is known of time.
pub struct SourceClock<'a> {
    pub source: SourceKind,
    /// The newest watermark of `source`, in microseconds.
    pub now_us: i64,
    pub watermarks: &'a SourceWatermarks,
    pub known: ReadBounds,
    /// Offsets of Kafka up to which events were judged before this run; None if none were.
    pub judged: Option<&'a PartitionOffsets>,
}
