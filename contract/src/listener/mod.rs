//! Listeners of both programs: each has connections, permits, time limits and TLS of its
//! own, so that what one caller holds is never another listener's.
//!
//! ```text
//! accept → permit (in all, per address) → TLS, name → head in time → rate (address, client)
//!        → whole request in time → routes → answer read in time
//! ```
//!
//! A connection past its listener's bound is closed at once, before a byte is read.

mod accept;
mod connection;
mod descriptors;
mod layers;
mod metrics;
mod permits;
mod rates;
mod settings;
mod stalled_writes;
#[cfg(test)]
mod tests;

pub use descriptors::reserve_descriptors;
pub use layers::{ClientKey, authorization_key, nobody_key};
pub use rates::ClientRates;
pub use settings::ListenerSettings;

use crate::supervisor::Supervisor;
use crate::tls::ServerTls;
use accept::AcceptLoop;
use anyhow::Context;
use axum::Router;
use layers::RequestLimits;
use tokio::net::TcpListener;

/// A listener that is bound and serves nothing yet.
pub struct BoundListener {
    name: &'static str,
    tcp: TcpListener,
    settings: ListenerSettings,
    tls: Option<ServerTls>,
}

impl BoundListener {
    /// Listens on `address`, which the setting `key` holds; `name` is that of its metrics.
    ///
    /// # Errors
    /// The system's reason, or a certificate that can't be used, with the setting's name.
    pub async fn bind(
        name: &'static str,
        key: &str,
        address: &str,
        settings: &ListenerSettings,
    ) -> anyhow::Result<Self> {
        let bound = TcpListener::bind(address).await;
        let tcp = bound.with_context(|| {
            format!("{key} = {address}: can't listen there; is the port taken?")
        })?;
        BoundListener::over(name, tcp, settings)
    }

    /// Takes over a socket that listens already.
    ///
    /// # Errors
    /// A certificate that can't be used.
    pub fn over(
        name: &'static str,
        tcp: TcpListener,
        settings: &ListenerSettings,
    ) -> anyhow::Result<Self> {
        let tls = settings.tls.as_ref();
        Ok(BoundListener {
            name,
            tcp,
            tls: tls.map(|tls| ServerTls::load(name, tls)).transpose()?,
            settings: settings.clone(),
        })
    }

    /// The address that was bound.
    pub fn address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves `routes` among `parts` until their stop; open requests are still answered.
    /// Requests of one `client_key` share a rate.
    pub fn serve(self, parts: &Supervisor, routes: Router, client_key: ClientKey) {
        let limits = RequestLimits::new(self.name, &self.settings, client_key);
        let routes = limits.around(routes);
        parts.spawn_loop(format!("{}-rates", self.name), limits.forget_idle_keys());
        if let Some(tls) = &self.tls {
            parts.spawn_loop(format!("{}-certificates", self.name), tls.clone().watch());
        }
        let name = format!("{}-listener", self.name);
        let accept = AcceptLoop::new(self.name, &self.settings, self.tls, routes, parts.clone());
        parts.spawn(name, accept.run(self.tcp));
    }
}
