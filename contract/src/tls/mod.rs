//! TLS of listeners and of clients, by rustls with ring. Certificates, keys and authorities
//! are files that may change while programs run: connections that are made afterwards use
//! the new ones, and files that can't be used leave the present ones in force.

mod client;
mod expiry;
mod files;
mod metrics;
mod names;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub use client::ClientTls;
pub use server::{HandshakeRefusal, PeerCertificateName, ServerTls};
pub use settings::{ClientTlsSettings, ServerTlsSettings};

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// The provider of all TLS here, named because two are in the tree.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
