//! Secrets from a vault: a HashiCorp-compatible KV store of version 2, over HTTP. All of a
//! program's secrets are fields of one entry, which is read at the start and again and
//! again; in between they are served from memory.
//!
//! | step | request | when |
//! |---|---|---|
//! | log in | `POST /v1/auth/kubernetes/login` | Kubernetes auth: start, token gone |
//! | read | `GET /v1/MOUNT/data/PATH` | every `refresh_ms` |
//! | renew | `POST /v1/auth/token/renew-self` | at half of the token's life |
//!
//! A vault that can't be reached later leaves the last secrets in force.

mod client;
mod metrics;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::VaultSettings;

use crate::settings::{Secret, SecretSource, install_source};
use anyhow::Context;
use arc_swap::ArcSwap;
use client::{VaultClient, VaultSecrets};
use metrics::METRICS;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A vault that has answered, with its secrets as they were read last.
pub struct Vault {
    client: VaultClient,
    refresh: Duration,
    secrets: Arc<VaultSnapshot>,
}

/// Secrets as they were read last, for what is neither in the environment nor a file.
struct VaultSnapshot {
    entry: String,
    secrets: ArcSwap<VaultSecrets>,
}

impl SecretSource for VaultSnapshot {
    fn name(&self) -> &str {
        &self.entry
    }

    fn text(&self, name: &str) -> Option<Secret> {
        self.secrets.load().get(name).cloned()
    }
}

/// Reads the vault's secrets, if the settings name one, and makes them the process' source
/// for secrets that are neither in the environment nor in `secrets_dir`.
///
/// # Errors
/// The vault refuses, doesn't answer in time, or has no such entry; the message names it.
pub async fn open(
    settings: Option<&VaultSettings>,
    secrets_dir: Option<&Path>,
) -> anyhow::Result<Option<Vault>> {
    let Some(settings) = settings else {
        return Ok(None);
    };
    let vault = Vault::connect(settings, secrets_dir).await?;
    install_source(vault.secrets.clone());
    tracing::info!("secrets come from {}", vault.secrets.entry);
    Ok(Some(vault))
}

impl Vault {
    async fn connect(settings: &VaultSettings, secrets_dir: Option<&Path>) -> anyhow::Result<Self> {
        let mut client = VaultClient::new(settings, secrets_dir)?;
        let entry = format!(
            "vault {} {}/{}",
            settings.address, settings.mount, settings.path
        );
        let first = client.log_in_and_read().await;
        let secrets = first.with_context(|| entry.clone())?;
        Ok(Vault {
            client,
            refresh: Duration::from_millis(settings.refresh_ms),
            secrets: Arc::new(VaultSnapshot {
                entry,
                secrets: ArcSwap::from_pointee(secrets),
            }),
        })
    }

    /// Keeps the token alive, the secrets fresh and the certificate the one of the files, for
    /// ever. Keys that roll are taken over as those in files are.
    pub async fn keep(self) {
        match self.client.tls() {
            Some(tls) => tokio::join!(tls.watch(), self.keep_secrets()).1,
            None => self.keep_secrets().await,
        }
    }

    async fn keep_secrets(mut self) {
        let mut renew_at = Instant::now() + self.client.renewal_delay();
        loop {
            tokio::time::sleep(self.refresh).await;
            if Instant::now() >= renew_at {
                match self.client.renew().await {
                    Ok(()) => renew_at = Instant::now() + self.client.renewal_delay(),
                    // Again at the next turn: another half of its life later it would have ended.
                    Err(error) => {
                        tracing::warn!("{}: the token isn't renewed: {error:#}", self.secrets.entry)
                    }
                }
            }
            let read = self.client.read_or_log_in().await;
            METRICS.unreadable.set(read.is_err().into());
            match read {
                Ok(secrets) => self.secrets.secrets.store(Arc::new(secrets)),
                Err(error) => tracing::error!(
                    "{}: the secrets read last stay in force: {error:#}",
                    self.secrets.entry
                ),
            }
        }
    }
}
