//! Rows of leadership: the lease of the active sidecar and its checkpoint.

pub mod repo;
