//! TLS of a client: its peer's authority, and the certificate that it shows.

use crate::tls::files::{self, PemContents, PemPaths};
use crate::tls::{ClientTlsSettings, provider};
use anyhow::Context;
use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;

/// Authority and certificate of a client, in force now; clones share them.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientTlsState>);

struct ClientTlsState {
    paths: PemPaths,
    loaded: PemContents,
    verifier: Arc<ReloadingVerifier>,
    certificate: Arc<ReloadingCertificate>,
}

impl ClientTls {
    /// Reads the files of the client `of`; `None` if its peers' authority is the world's.
    ///
    /// # Errors
    /// The file that can't be used, and why.
    pub fn load(of: &str, settings: &ClientTlsSettings) -> anyhow::Result<Option<Self>> {
        if settings.ca.is_none() {
            return Ok(None);
        }
        let paths = PemPaths {
            of: of.to_owned(),
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
            authority: settings.ca.clone(),
        };
        let loaded = paths.read()?;
        let certified = paths.certified_key(&loaded)?;
        paths.show_expiry(certified.as_deref());
        Ok(Some(ClientTls(Arc::new(ClientTlsState {
            verifier: Arc::new(ReloadingVerifier(ArcSwap::from(verifier_of(
                &paths, &loaded,
            )?))),
            certificate: Arc::new(ReloadingCertificate(ArcSwapOption::from(certified))),
            paths,
            loaded,
        }))))
    }

    /// Makes an HTTP client's builder use it; without it the world's authorities count.
    ///
    /// # Errors
    /// The provider knows no version of TLS.
    pub fn apply(
        tls: Option<&ClientTls>,
        builder: reqwest::ClientBuilder,
    ) -> anyhow::Result<reqwest::ClientBuilder> {
        match tls {
            Some(tls) => Ok(builder.tls_backend_preconfigured(tls.config()?)),
            None => Ok(builder),
        }
    }

    fn config(&self) -> anyhow::Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .context("TLS versions")?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(self.0.verifier.clone())
            .with_client_cert_resolver(self.0.certificate.clone());
        // A resumed session would skip an authority that has changed meanwhile.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// Takes over files that change, for ever.
    pub async fn watch(self) {
        let state = &self.0;
        files::watch(state.paths.clone(), state.loaded.clone(), |contents| {
            let certified = state.paths.certified_key(contents)?;
            let verifier = verifier_of(&state.paths, contents)?;
            state.paths.show_expiry(certified.as_deref());
            state.verifier.0.store(verifier);
            state.certificate.0.store(certified);
            Ok(())
        })
        .await;
    }
}

fn verifier_of(
    paths: &PemPaths,
    contents: &PemContents,
) -> anyhow::Result<Arc<WebPkiServerVerifier>> {
    let roots = paths
        .authority(contents)?
        .context("an authority is needed")?;
    WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .with_context(|| format!("TLS of {}: authority", paths.of))
}

/// Verifier that checks all that rustls' own does, against the authority in force.
#[derive(Debug)]
struct ReloadingVerifier(ArcSwap<WebPkiServerVerifier>);

impl ServerCertVerifier for ReloadingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.0.load();
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.load().verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.load().verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.load().supported_verify_schemes()
    }
}

/// Certificate that a client shows if it is asked for one.
#[derive(Debug)]
struct ReloadingCertificate(ArcSwapOption<CertifiedKey>);

impl ResolvesClientCert for ReloadingCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }

    fn has_certs(&self) -> bool {
        self.0.load().is_some()
    }
}
