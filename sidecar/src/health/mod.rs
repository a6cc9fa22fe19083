//! Health of the sidecar: causes of blindness, the status report, and the sources' last
//! activity.

pub mod blind;
pub mod last_activity;
pub mod status;

use crate::health::blind::Blind;
use crate::health::status::SidecarStatus;
use crate::metrics::SidecarMetrics;

/// Channels through which a part reports how it is: blindness, `/status`, `/metrics`.
#[derive(Clone)]
pub struct Health {
    pub blind: Blind,
    pub status: SidecarStatus,
    pub metrics: &'static SidecarMetrics,
}
