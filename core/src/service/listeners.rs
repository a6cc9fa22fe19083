//! Listens on the two addresses: the public API, and what operators look at.

use crate::http::{self, CoreApi};
use anyhow::Context;
use axum::serve::ListenerExt;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::telemetry::{self, Readiness};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Listens on the address of the setting `name`.
///
/// # Errors
/// The setting's name and the system's reason.
pub(super) async fn bind(name: &str, address: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("{name} = {address}: can't listen there; is the port taken?"))
}

/// Serves `/live`, `/ready` and `/metrics`.
pub(super) fn serve_admin(parts: &Supervisor, listener: TcpListener, readiness: &Readiness) {
    let routes = telemetry::router(readiness.clone());
    let stop = parts.stop_token().cancelled_owned();
    parts.spawn("admin-listener", async move {
        let serve = axum::serve(listener, routes).with_graceful_shutdown(stop);
        serve.await.context("admin listener")
    });
}

/// Serves the public API; after the stop open requests are still answered.
pub(super) fn serve_public(parts: &Supervisor, listener: TcpListener, api: Arc<CoreApi>) {
    let stop = parts.stop_token().cancelled_owned();
    let listener = listener.tap_io(|stream| {
        // Answers are one small write: don't wait for more. Failing costs speed only.
        let _ = stream.set_nodelay(true);
    });
    parts.spawn("public-listener", async move {
        let serve = axum::serve(listener, http::router(api)).with_graceful_shutdown(stop);
        serve.await.context("HTTP server")
    });
}
