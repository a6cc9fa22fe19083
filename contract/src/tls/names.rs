//! Names of clients, as their certificates have them.

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use std::sync::Arc;

/// One name of the settings, as text and as certificates are asked for it.
pub(super) type AllowedName = (Arc<str>, ServerName<'static>);

/// Reads names, or returns the one that is none.
pub(super) fn parse_names(names: &[String]) -> Result<Vec<AllowedName>, String> {
    let parse = |name: &String| {
        let parsed = ServerName::try_from(name.clone()).map_err(|_| name.clone())?;
        Ok((Arc::from(name.as_str()), parsed))
    };
    names.iter().map(parse).collect()
}

/// Finds the first of the allowed names that the certificate is for.
pub(super) fn name_in(
    certificate: &CertificateDer<'_>,
    allowed: &[AllowedName],
) -> Option<Arc<str>> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let mut names = allowed.iter();
    let found = names.find(|(_, name)| verify_server_name(&parsed, name).is_ok());
    found.map(|(name, _)| name.clone())
}
