//! Settings of the vault.

use crate::settings::{check_client_url, in_range};
use crate::string_enum;
use crate::tls::ClientTlsSettings;
use anyhow::ensure;
use serde::Deserialize;
use std::path::PathBuf;

string_enum! {
    /// Way in which a program shows the vault who it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum VaultAuth("vault.auth") {
        Token = "token",
        Kubernetes = "kubernetes",
    }
}

/// The vault, and the entry whose fields are this program's secrets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {
    /// Base URL, as in `https://vault.internal:8200`.
    pub address: String,
    /// Mount of the KV store, which is of version 2.
    #[serde(default = "default_mount")]
    pub mount: String,
    /// Entry of the store; each of its fields is the secret of that name.
    pub path: String,
    /// `token` (the secret `vault_token`, in the environment or a file) or `kubernetes`.
    #[serde(default = "default_auth")]
    pub auth: String,
    /// Role to log in as, with Kubernetes auth.
    #[serde(default)]
    pub role: String,
    /// Mount of the auth method, with Kubernetes auth.
    #[serde(default = "default_auth_mount")]
    pub auth_mount: String,
    /// The pod's own token, with Kubernetes auth.
    #[serde(default = "default_service_account_token")]
    pub service_account_token: PathBuf,
    /// The vault's own authority, and the certificate that it asks for.
    #[serde(default)]
    pub tls: ClientTlsSettings,
    /// Longest that one request may take.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// Interval between two reads.
    #[serde(default = "default_refresh_ms")]
    pub refresh_ms: u64,
    /// `http://` beyond loopback: every secret can be read on its way.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
}

impl VaultSettings {
    /// Refuses what can't work.
    ///
    /// # Errors
    /// The key that is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        let plaintext = self.plaintext_beyond_loopback;
        let allowance = "vault.plaintext_beyond_loopback = true";
        check_client_url("vault.address", &self.address, allowance, plaintext)?;
        let auth: VaultAuth = self.auth.parse().map_err(|_| {
            let known = VaultAuth::ALL.map(VaultAuth::as_str).join(", ");
            anyhow::anyhow!("vault.auth = {:?}: this build knows {known}", self.auth)
        })?;
        ensure!(
            auth == VaultAuth::Token || !self.role.is_empty(),
            "vault.role is not set: kubernetes auth logs in as a role"
        );
        for (name, path) in [
            ("mount", &self.mount),
            ("path", &self.path),
            ("auth_mount", &self.auth_mount),
        ] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
            ensure!(
                !path.trim_matches('/').is_empty() && path.chars().all(plain),
                "vault.{name} = {path:?}: letters, digits and _ - . /"
            );
        }
        self.tls.check("vault.tls")?;
        in_range("vault.timeout_ms", self.timeout_ms, 100..=60_000)?;
        in_range("vault.refresh_ms", self.refresh_ms, 100..=3_600_000)
    }
}

fn default_mount() -> String {
    "secret".into()
}
fn default_auth() -> String {
    VaultAuth::Token.as_str().into()
}
fn default_auth_mount() -> String {
    "kubernetes".into()
}
fn default_service_account_token() -> PathBuf {
    "/var/run/secrets/kubernetes.io/serviceaccount/token".into()
}
fn default_timeout_ms() -> u64 {
    5_000
}
fn default_refresh_ms() -> u64 {
    10_000
}
