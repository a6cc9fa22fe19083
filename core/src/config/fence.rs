//! Settings of the fence.

use serde::Deserialize;
use sluice_contract::settings::check_client_url;
use sluice_contract::tls::ClientTlsSettings;

/// The sidecar's fence, as the core follows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FenceClientConfig {
    pub enabled: bool,
    /// Base URL of the sidecar's listener.
    pub sidecar_url: String,
    /// The sidecar's own authority, and the certificate that it asks for.
    pub tls: ClientTlsSettings,
    /// `http://` beyond loopback: the token can be read on its way, and a lie told.
    pub plaintext_beyond_loopback: bool,
}

impl Default for FenceClientConfig {
    fn default() -> Self {
        FenceClientConfig {
            enabled: true,
            sidecar_url: "http://127.0.0.1:7200".into(),
            tls: ClientTlsSettings::default(),
            plaintext_beyond_loopback: false,
        }
    }
}

impl FenceClientConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let plaintext = self.plaintext_beyond_loopback;
        let allowance = "fence.plaintext_beyond_loopback = true";
        check_client_url("fence.sidecar_url", &self.sidecar_url, allowance, plaintext)?;
        self.tls.check("fence.tls")
    }
}
