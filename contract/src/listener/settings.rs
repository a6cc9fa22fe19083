//! Settings of a listener: its bounds and its TLS.

use crate::settings::{check_listener, in_range};
use crate::tls::ServerTlsSettings;
use anyhow::ensure;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// Bounds of one listener. Each is of this listener alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerSettings {
    /// Open connections; one more is closed at once.
    pub max_connections: usize,
    /// Open connections of one address (of one /64 with IPv6).
    pub max_connections_per_address: usize,
    /// Longest wait for a whole request head, and so also for the next request on a
    /// connection that is kept alive, and for a TLS handshake.
    pub header_timeout_ms: u64,
    /// Longest time from a request's head to its answer, body included.
    pub request_timeout_ms: u64,
    /// Longest time in which a client that is sent to may read nothing.
    pub write_timeout_ms: u64,
    /// Requests of one client, and of one address; as many may come at once.
    pub requests_per_second_per_client: u32,
    pub requests_per_second_per_address: u32,
    /// Beyond loopback without TLS: whatever is sent can be read and changed on its way.
    pub plaintext_beyond_loopback: bool,
    pub tls: Option<ServerTlsSettings>,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        ListenerSettings {
            max_connections: 2_048,
            max_connections_per_address: 1_024,
            header_timeout_ms: 15_000,
            request_timeout_ms: 10_000,
            write_timeout_ms: 10_000,
            requests_per_second_per_client: 50_000,
            requests_per_second_per_address: 50_000,
            plaintext_beyond_loopback: false,
            tls: None,
        }
    }
}

impl ListenerSettings {
    /// Bounds of a listener on loopback that machines and probes ask.
    pub fn small() -> Self {
        ListenerSettings {
            max_connections: 64,
            max_connections_per_address: 64,
            ..ListenerSettings::default()
        }
    }

    /// Checks the bounds, written in the table `table`, and the address of the setting
    /// `key`; `authenticated` tells whether callers show who they are.
    ///
    /// # Errors
    /// The key that is wrong, and what it may be.
    pub fn check(
        &self,
        table: &str,
        key: &str,
        address: &str,
        authenticated: bool,
    ) -> anyhow::Result<SocketAddr> {
        let numbers = [
            ("max_connections", self.max_connections as u64, 1, 100_000),
            (
                "max_connections_per_address",
                self.max_connections_per_address as u64,
                1,
                100_000,
            ),
            ("header_timeout_ms", self.header_timeout_ms, 100, 120_000),
            ("request_timeout_ms", self.request_timeout_ms, 100, 600_000),
            ("write_timeout_ms", self.write_timeout_ms, 100, 120_000),
            (
                "requests_per_second_per_client",
                self.requests_per_second_per_client.into(),
                1,
                1_000_000,
            ),
            (
                "requests_per_second_per_address",
                self.requests_per_second_per_address.into(),
                1,
                1_000_000,
            ),
        ];
        for (name, value, least, most) in numbers {
            in_range(&format!("{table}.{name}"), value, least..=most)?;
        }
        if let Some(tls) = &self.tls {
            tls.check(&format!("{table}.tls"))?;
        }
        let parsed = check_listener(key, address, authenticated)?;
        ensure!(
            parsed.ip().is_loopback() || self.tls.is_some() || self.plaintext_beyond_loopback,
            "{key} = {address}: beyond loopback, TLS is needed: set {table}.tls, or say \
             {table}.plaintext_beyond_loopback = true if something else encrypts"
        );
        Ok(parsed)
    }

    pub(super) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    pub(super) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }
}
