//! Defaults of the settings.

use sluice_contract::listener::ListenerSettings;

/// Characters of the host's name in that of an instance, which has 32 at most.
const MAX_HOST_NAME_CHARS: usize = 11;
pub(super) fn default_listen() -> String {
    "127.0.0.1:7200".to_owned()
}

/// Cases of a whole set run before an operator is answered: a request may take longer than
/// a payment may.
pub(super) fn default_listener() -> ListenerSettings {
    ListenerSettings {
        max_connections: 512,
        max_connections_per_address: 256,
        request_timeout_ms: 60_000,
        requests_per_second_per_client: 1_000,
        requests_per_second_per_address: 1_000,
        ..ListenerSettings::default()
    }
}

pub(super) fn default_checkpoint_interval_ms() -> u64 {
    500
}

pub(super) fn default_max_lag_ms() -> u64 {
    5_000
}

pub(super) fn default_workers() -> usize {
    1
}

/// The end of the host's name, for people, and what no other process has: of two with one
/// name each would take the other's lease for that of its own earlier life.
pub(super) fn default_instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host: Vec<char> = host.chars().filter(char::is_ascii_alphanumeric).collect();
    let end: String = host
        .iter()
        .skip(host.len().saturating_sub(MAX_HOST_NAME_CHARS))
        .collect();
    format!("sidecar-{end}-{:012x}", rand::random::<u64>() >> 16)
}
