//! Keys of the issuer of access tokens: read from a file or an address, kept while neither
//! can be read, and looked at again when a token names one that nobody knows.

use crate::config::OauthConfig;
use crate::metrics::METRICS;
use anyhow::{Context, ensure};
use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;
use sluice_contract::tls::ClientTls;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Longest set of keys that is read: real ones have a few thousand bytes.
const MAX_SET_BYTES: usize = 256 << 10;
/// Most keys of a set.
const MAX_KEYS: usize = 64;
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// One key of the issuer.
#[derive(Debug, Clone)]
pub(super) struct IssuerKey {
    pub key_id: Option<String>,
    /// The one algorithm that the key is for, if it says so.
    pub algorithm: Option<Algorithm>,
    pub key: DecodingKey,
}

/// A reader of the issuer's keys, and the set in force.
pub(super) struct IssuerKeys {
    source: String,
    is_remote: bool,
    min_interval: Duration,
    http: reqwest::Client,
    tls: Option<ClientTls>,
    keys: ArcSwap<Vec<IssuerKey>>,
    /// When somebody last looked; held while looking, so that one looks for all.
    looked: Mutex<Option<Instant>>,
}

impl IssuerKeys {
    pub fn new(config: &OauthConfig) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        let tls = ClientTls::load("oauth", &config.tls)?;
        let http = ClientTls::apply(tls.as_ref(), http)?
            .build()
            .context("oauth.jwks: HTTP client")?;
        Ok(IssuerKeys {
            source: config.jwks.clone(),
            is_remote: config.is_remote(),
            min_interval: Duration::from_millis(config.min_refresh_ms),
            http,
            tls,
            keys: ArcSwap::default(),
            looked: Mutex::default(),
        })
    }

    /// Authority and certificate of the address, for whoever watches their files.
    pub fn tls(&self) -> Option<ClientTls> {
        self.tls.clone()
    }

    /// The set in force; empty as long as none could be read.
    pub fn current(&self) -> Arc<Vec<IssuerKey>> {
        self.keys.load_full()
    }

    /// Looks again because a token named an unknown key, unless somebody just did: a
    /// stream of such tokens costs the issuer one request an interval.
    pub async fn refresh(&self) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < self.min_interval) {
            return;
        }
        self.look().await;
        *looked = Some(Instant::now());
    }

    /// Looks again because it is time to.
    pub async fn refresh_now(&self) {
        let mut looked = self.looked.lock().await;
        self.look().await;
        *looked = Some(Instant::now());
    }

    async fn look(&self) {
        let found = match self.read().await {
            Ok(text) => usable_keys(&text),
            Err(error) => Err(error),
        };
        let gauge = &METRICS.channels.secret_unusable;
        gauge
            .with_label_values(&["oauth.jwks"])
            .set(found.is_err().into());
        match found {
            Ok(keys) => self.keys.store(Arc::new(keys)),
            Err(error) => {
                tracing::error!(
                    "oauth.jwks can't be used, the keys in force stay: {error:#}; check {}",
                    self.source
                );
            }
        }
    }

    async fn read(&self) -> anyhow::Result<Vec<u8>> {
        let text = match self.is_remote {
            true => self.fetch().await?,
            false => tokio::fs::read(&self.source).await?,
        };
        ensure!(
            text.len() <= MAX_SET_BYTES,
            "longer than {MAX_SET_BYTES} bytes"
        );
        Ok(text)
    }

    async fn fetch(&self) -> anyhow::Result<Vec<u8>> {
        let mut reply = self
            .http
            .get(&self.source)
            .send()
            .await?
            .error_for_status()?;
        let mut text = Vec::new();
        while let Some(part) = reply.chunk().await? {
            text.extend_from_slice(&part);
            ensure!(
                text.len() <= MAX_SET_BYTES,
                "longer than {MAX_SET_BYTES} bytes"
            );
        }
        Ok(text)
    }
}

/// Picks the keys that can verify signatures; what else is in a set is left out, as RFC
/// 7517 §5 asks for.
///
/// # Errors
/// No set, none that is usable, or more than anybody needs.
pub(super) fn usable_keys(text: &[u8]) -> anyhow::Result<Vec<IssuerKey>> {
    let set: Value = serde_json::from_slice(text).context("is no JSON")?;
    let keys = set["keys"].as_array().context("has no list \"keys\"")?;
    ensure!(keys.len() <= MAX_KEYS, "has more than {MAX_KEYS} keys");
    let usable: Vec<IssuerKey> = keys.iter().filter_map(issuer_key).collect();
    ensure!(!usable.is_empty(), "has no key that verifies signatures");
    Ok(usable)
}

fn issuer_key(value: &Value) -> Option<IssuerKey> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let is_pair = !matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
    let usage = &jwk.common.public_key_use;
    let signs = usage.as_ref().is_none_or(|u| *u == PublicKeyUse::Signature);
    let algorithm = match &value["alg"] {
        Value::Null => None,
        name => Some(name.as_str()?.parse().ok()?),
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (is_pair && signs && key.family() != AlgorithmFamily::Hmac).then_some(IssuerKey {
        key_id: jwk.common.key_id,
        algorithm,
        key,
    })
}

#[cfg(test)]
#[path = "issuer_keys_tests.rs"]
mod tests;
