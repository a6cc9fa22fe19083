//! Metrics of certificates, by the listener or client that uses them.

use prometheus::{IntGaugeVec, register_int_gauge_vec};
use std::sync::LazyLock;

pub(super) struct CertificateMetrics {
    pub not_after: IntGaugeVec,
    pub unusable: IntGaugeVec,
}

/// The process' metrics, registered at first use.
pub(super) static METRICS: LazyLock<CertificateMetrics> = LazyLock::new(|| match register() {
    Ok(metrics) => metrics,
    // Names are constants of this file: a clash is a bug seen at the first start.
    Err(error) => unreachable!("metrics: {error}"),
});

fn register() -> prometheus::Result<CertificateMetrics> {
    Ok(CertificateMetrics {
        not_after: register_int_gauge_vec!(
            "sluice_tls_certificate_not_after_seconds",
            "End of the certificate in force, in seconds since 1970",
            &["of"]
        )?,
        unusable: register_int_gauge_vec!(
            "sluice_tls_files_unusable",
            "1 while the files of a certificate can't be used and older ones stay in force",
            &["of"]
        )?,
    })
}
