//! Files of certificates: read together, looked at again, taken over when they are whole.

use crate::tls::expiry::not_after_s;
use crate::tls::metrics::METRICS;
use crate::tls::provider;
use anyhow::{Context, ensure};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Interval between two looks. A change counts when it was seen twice in a row: files that
/// are being written or exchanged one after the other are not taken for the new state.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Paths of one side's files.
#[derive(Debug, Clone)]
pub(super) struct PemPaths {
    /// The listener or client that uses them, in messages and metrics.
    pub of: String,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub authority: Option<PathBuf>,
}

/// Contents of the files, all read at one time. Not to be shown: a key is in it.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct PemContents {
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    authority: Option<Vec<u8>>,
}

impl PemPaths {
    pub fn read(&self) -> anyhow::Result<PemContents> {
        let read =
            |path: &Option<PathBuf>| path.as_deref().map(|path| self.bytes(path)).transpose();
        Ok(PemContents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            authority: read(&self.authority)?,
        })
    }

    fn bytes(&self, path: &Path) -> anyhow::Result<Vec<u8>> {
        std::fs::read(path).with_context(|| format!("TLS of {}: {}", self.of, path.display()))
    }

    /// Makes the certificate with its key, which must belong to it.
    ///
    /// # Errors
    /// The file that can't be used, and why.
    pub fn certified_key(
        &self,
        contents: &PemContents,
    ) -> anyhow::Result<Option<Arc<CertifiedKey>>> {
        let (Some(certificate), Some(key)) = (&contents.certificate, &contents.key) else {
            return Ok(None);
        };
        let chain = certificates(certificate)
            .with_context(|| self.named("certificate", &self.certificate))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            // Its own words could hold a piece of the key.
            .map_err(|_| anyhow::anyhow!("no private key in PEM"))
            .with_context(|| self.named("key", &self.key))?;
        let certified = CertifiedKey::from_der(chain, key, &provider())
            .with_context(|| format!("TLS of {}: certificate and key do not fit", self.of))?;
        Ok(Some(Arc::new(certified)))
    }

    /// Makes the authority whose signatures count.
    ///
    /// # Errors
    /// The file holds no certificate.
    pub fn authority(&self, contents: &PemContents) -> anyhow::Result<Option<Arc<RootCertStore>>> {
        let Some(authority) = &contents.authority else {
            return Ok(None);
        };
        let named = || self.named("authority", &self.authority);
        let mut roots = RootCertStore::empty();
        for root in certificates(authority).with_context(named)? {
            roots.add(root).with_context(named)?;
        }
        Ok(Some(Arc::new(roots)))
    }

    fn named(&self, what: &str, path: &Option<PathBuf>) -> String {
        let path = path.as_deref().unwrap_or(Path::new("-"));
        format!("TLS of {}: {what} {}", self.of, path.display())
    }

    /// Shows when the certificate in force ends.
    pub fn show_expiry(&self, certified: Option<&CertifiedKey>) {
        let end = certified
            .and_then(|certified| certified.cert.first())
            .and_then(|certificate| not_after_s(certificate));
        if let Some(end) = end {
            METRICS.not_after.with_label_values(&[&self.of]).set(end);
        }
    }
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    ensure!(!all.is_empty(), "no certificate in PEM");
    Ok(all)
}

/// Looks at the files for ever; `take_over` builds from them and puts that in force.
pub(super) async fn watch(
    paths: PemPaths,
    mut in_force: PemContents,
    take_over: impl Fn(&PemContents) -> anyhow::Result<()>,
) {
    let gauge = METRICS.unusable.with_label_values(&[&paths.of]);
    let mut seen: Option<(Result<PemContents, String>, bool)> = None;
    loop {
        tokio::time::sleep(FILE_CHECK_INTERVAL).await;
        let found = paths.read().map_err(|e| format!("{e:#}"));
        let (is_second, is_settled) = match &seen {
            Some((last, settled)) if *last == found => (!*settled, true),
            _ => (false, false),
        };
        seen = Some((found.clone(), is_settled));
        if !is_second {
            continue;
        }
        let taken = match &found {
            Ok(contents) if *contents == in_force => Ok(false),
            Ok(contents) => take_over(contents)
                .map(|()| true)
                .map_err(|e| format!("{e:#}")),
            Err(error) => Err(error.clone()),
        };
        gauge.set(taken.is_err().into());
        match (taken, found) {
            (Ok(true), Ok(contents)) => {
                in_force = contents;
                tracing::info!("TLS of {}: new files are in force", paths.of);
            }
            (Err(error), _) => {
                tracing::error!("the present files stay in force: {error}");
            }
            (Ok(_), _) => {}
        }
    }
}
