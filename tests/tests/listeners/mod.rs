//! Listeners of real programs: slow, many and hasty clients, TLS with certificates that
//! change, and secrets from a vault.

pub mod certificates;
mod limits;
mod tls;
mod vault;

use crate::listeners::certificates::CertificateFolder;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use sluice_contract::listener::{BoundListener, ListenerSettings, nobody_key};
use sluice_contract::supervisor::Supervisor;
use sluice_contract::tls::ServerTlsSettings;
use std::time::Duration;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves `routes` over TLS to who shows the core's certificate, each connection for one
/// request: files that roll are met at once. Returns the base URL.
pub async fn serve_tls(
    parts: &Supervisor,
    certificates: &CertificateFolder,
    name: &'static str,
    routes: Router,
) -> anyhow::Result<String> {
    let settings = ListenerSettings {
        tls: Some(ServerTlsSettings {
            certificate: certificates.path("server.pem"),
            key: certificates.path("server.key"),
            client_ca: Some(certificates.path("ca.pem")),
            client_names: vec!["core.test".to_owned()],
        }),
        ..ListenerSettings::default()
    };
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let listener = BoundListener::over(name, tcp, &settings)?;
    let url = format!("https://localhost:{}", listener.address()?.port());
    let closing = axum::middleware::map_response(async |mut answer: Response| {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
        answer
    });
    listener.serve(parts, routes.layer(closing), nobody_key());
    Ok(url)
}
