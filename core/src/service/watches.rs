//! Watches of the running core: the gauge of the fence, and the channels' secrets.

use crate::config::CoreSecrets;
use crate::guard::fence::FenceClient;
use crate::metrics::METRICS;
use sluice_contract::keys;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::tls::ClientTls;
use std::time::Duration;

const FENCE_GAUGE_INTERVAL: Duration = Duration::from_millis(500);

/// Shows whether the fence stalls. Accepting never depends on the sidecar, so a stalled
/// fence is told but doesn't take the instance out of service.
pub(super) fn watch_fence(parts: &Supervisor, fence: FenceClient) {
    parts.spawn_loop("fence-gauge", async move {
        loop {
            METRICS.fence_stalled.set(fence.stalled().is_some().into());
            tokio::time::sleep(FENCE_GAUGE_INTERVAL).await;
        }
    });
}

/// Takes over certificates of a client whose files change.
pub(super) fn watch_client_tls(parts: &Supervisor, of: &str, tls: Option<ClientTls>) {
    if let Some(tls) = tls {
        parts.spawn_loop(format!("certificates of {of}"), tls.watch());
    }
}

/// Takes over secrets of channels and clients whose files change.
pub(super) fn watch_keys(parts: &Supervisor, secrets: &CoreSecrets) {
    let clients = secrets.clients.iter().flatten();
    let others = clients.chain(secrets.producers.keys());
    let rings = secrets.channels.iter().chain(others).cloned().collect();
    let watch = keys::watch(rings, |secret, usable| {
        let gauge = &METRICS.channels.secret_unusable;
        gauge.with_label_values(&[secret]).set((!usable).into());
    });
    parts.spawn_loop("secrets", watch);
}
