//! The format of a recording, from bytes up (docs/RECORDINGS.md).

pub mod block_header;
pub mod decode;
mod decode_change;
pub mod encode;
mod encode_change;
pub mod entry;
pub mod frame;
pub mod segment;
pub mod segment_header;
pub mod segment_scan;
mod tags;
