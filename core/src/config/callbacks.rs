//! Settings of the channels' callbacks, which have a listener of their own: whatever the
//! callers of the public API hold, a channel's word gets in.

use serde::Deserialize;
use sluice_contract::listener::ListenerSettings;

/// Listener of `POST /withdraw/notify/{channel}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbacksConfig {
    /// Address that channels call; the public listener doesn't take callbacks.
    pub listen: String,
    /// Bounds and TLS of that listener.
    pub listener: ListenerSettings,
}

impl Default for CallbacksConfig {
    fn default() -> Self {
        CallbacksConfig {
            listen: "127.0.0.1:7102".into(),
            listener: ListenerSettings::default(),
        }
    }
}

impl CallbacksConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        // Channels show who they are: each callback is signed.
        let listener = &self.listener;
        listener.check("callbacks.listener", "callbacks.listen", &self.listen, true)?;
        Ok(())
    }
}
