//! Settings of TLS: files in PEM.

use crate::tls::names::parse_names;
use anyhow::ensure;
use serde::Deserialize;
use std::path::PathBuf;

/// TLS of a listener; mutual with `client_ca`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsSettings {
    /// Certificate and the chain up to, but without, its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Authority that must have signed the client's certificate; without one, clients
    /// need no certificate.
    pub client_ca: Option<PathBuf>,
    /// Names (DNS or IP, as in the certificate) of the clients that may connect; empty:
    /// every client of that authority.
    #[serde(default)]
    pub client_names: Vec<String>,
}

/// TLS of a client, for a peer whose authority is not the world's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientTlsSettings {
    /// Authority that must have signed the server's certificate, instead of the world's.
    pub ca: Option<PathBuf>,
    /// Certificate that is shown to the server, and its key; both or neither.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl ServerTlsSettings {
    /// Refuses what contradicts itself; `table` is the settings' place.
    ///
    /// # Errors
    /// The key that is wrong.
    pub fn check(&self, table: &str) -> anyhow::Result<()> {
        ensure!(
            self.client_names.is_empty() || self.client_ca.is_some(),
            "{table}.client_names needs {table}.client_ca: without it clients show no certificate"
        );
        parse_names(&self.client_names).map_err(|name| {
            anyhow::anyhow!("{table}.client_names: {name:?} is no DNS name or IP")
        })?;
        Ok(())
    }
}

impl ClientTlsSettings {
    /// Whether anything is set at all.
    pub fn is_set(&self) -> bool {
        *self != ClientTlsSettings::default()
    }

    /// Refuses what contradicts itself; `table` is the settings' place.
    ///
    /// # Errors
    /// The key that is wrong.
    pub fn check(&self, table: &str) -> anyhow::Result<()> {
        ensure!(
            self.certificate.is_some() == self.key.is_some(),
            "{table}.certificate and {table}.key belong together: set both or neither"
        );
        ensure!(
            self.certificate.is_none() || self.ca.is_some(),
            "{table}.certificate needs {table}.ca: say whom the certificate is shown to"
        );
        Ok(())
    }
}
