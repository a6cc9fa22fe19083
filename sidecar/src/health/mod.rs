//! Health of the sidecar: causes of blindness, the status report, and the sources' last
//! activity.

pub mod blind;
pub mod last_activity;
pub mod status;
