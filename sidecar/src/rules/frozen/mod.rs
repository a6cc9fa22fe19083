//! Parts of state that can be frozen while it goes on: maps in shards, frames to write.

pub mod sharded_map;
pub mod state_frames;
