//! TLS of a listener.

use crate::tls::files::{self, PemContents, PemPaths};
use crate::tls::names::{AllowedName, name_in, parse_names};
use crate::tls::{ServerTlsSettings, provider};
use anyhow::Context;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Certificates of a listener, in force now; clones share them.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerTlsState>);

struct ServerTlsState {
    paths: PemPaths,
    names: Vec<AllowedName>,
    loaded: PemContents,
    config: ArcSwap<ServerConfig>,
}

/// Name in the certificate that a client of mutual TLS has shown, one of `client_names`; an
/// extension of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificateName(pub Arc<str>);

/// The reason why a client's connection ended before its first request.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeRefusal {
    #[error("TLS: {0}")]
    Handshake(std::io::Error),
    #[error("the client's certificate has none of the names in client_names")]
    ClientName,
}

impl HandshakeRefusal {
    /// The reason, as metrics have it.
    pub fn as_str(&self) -> &'static str {
        match self {
            HandshakeRefusal::Handshake(_) => "handshake",
            HandshakeRefusal::ClientName => "client_name",
        }
    }
}

impl ServerTls {
    /// Reads the files of the listener `of`.
    ///
    /// # Errors
    /// The file that can't be used, and why.
    pub fn load(of: &str, settings: &ServerTlsSettings) -> anyhow::Result<Self> {
        let paths = PemPaths {
            of: format!("{of} listener"),
            certificate: Some(settings.certificate.clone()),
            key: Some(settings.key.clone()),
            authority: settings.client_ca.clone(),
        };
        let names = parse_names(&settings.client_names)
            .map_err(|name| anyhow::anyhow!("client_names: {name:?} is no name"))?;
        let loaded = paths.read()?;
        let config = ArcSwap::from(config_of(&paths, &loaded)?);
        Ok(ServerTls(Arc::new(ServerTlsState {
            paths,
            names,
            loaded,
            config,
        })))
    }

    /// Makes the handshake; with `client_names`, the client's certificate must have one.
    ///
    /// # Errors
    /// The client's TLS is not ours, or it is not one of those who may connect.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<(TlsStream<S>, Option<PeerCertificateName>), HandshakeRefusal> {
        let acceptor = TlsAcceptor::from(self.0.config.load_full());
        let accepted = acceptor.accept(stream).await;
        let stream = accepted.map_err(HandshakeRefusal::Handshake)?;
        if self.0.names.is_empty() {
            return Ok((stream, None));
        }
        let shown = stream.get_ref().1.peer_certificates();
        let name = shown
            .and_then(|chain| chain.first())
            .and_then(|certificate| name_in(certificate, &self.0.names))
            .ok_or(HandshakeRefusal::ClientName)?;
        Ok((stream, Some(PeerCertificateName(name))))
    }

    /// Takes over files that change, for ever.
    pub async fn watch(self) {
        let state = &self.0;
        files::watch(state.paths.clone(), state.loaded.clone(), |contents| {
            state.config.store(config_of(&state.paths, contents)?);
            Ok(())
        })
        .await;
    }
}

fn config_of(paths: &PemPaths, contents: &PemContents) -> anyhow::Result<Arc<ServerConfig>> {
    let certified: Arc<CertifiedKey> = paths
        .certified_key(contents)?
        .context("a listener needs a certificate")?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("TLS versions")?;
    let builder = match paths.authority(contents)? {
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(roots, provider())
                .build()
                .with_context(|| format!("TLS of {}: client_ca", paths.of))?,
        ),
        None => builder.with_no_client_auth(),
    };
    paths.show_expiry(Some(&certified));
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
