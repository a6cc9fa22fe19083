//! Settings of the fence.

use serde::Deserialize;

/// The sidecar's fence, as the core follows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FenceClientConfig {
    pub enabled: bool,
    /// Base URL of the sidecar's listener.
    pub sidecar_url: String,
}

impl Default for FenceClientConfig {
    fn default() -> Self {
        FenceClientConfig {
            enabled: true,
            sidecar_url: "http://127.0.0.1:7200".into(),
        }
    }
}
