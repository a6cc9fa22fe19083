//! The loop that accepts connections.

use crate::listener::ListenerSettings;
use crate::listener::connection::ConnectionServer;
use crate::listener::metrics::METRICS;
use crate::listener::permits::ConnectionPermits;
use crate::supervisor::Supervisor;
use crate::tls::ServerTls;
use axum::Router;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Pause after a failure to accept that is the system's, such as no free descriptor.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(500);

pub(super) struct AcceptLoop {
    name: &'static str,
    permits: ConnectionPermits,
    server: ConnectionServer,
    parts: Supervisor,
}

impl AcceptLoop {
    pub fn new(
        name: &'static str,
        settings: &ListenerSettings,
        tls: Option<ServerTls>,
        routes: Router,
        parts: Supervisor,
    ) -> Self {
        AcceptLoop {
            name,
            permits: ConnectionPermits::new(
                settings.max_connections,
                settings.max_connections_per_address,
            ),
            server: ConnectionServer::new(name, settings, tls, routes, parts.stop_token()),
            parts,
        }
    }

    /// Accepts until the stop; connections that are open then end by themselves, and the
    /// stop of the set waits for them.
    pub async fn run(self, listener: TcpListener) -> anyhow::Result<()> {
        let stop = self.parts.stop_token();
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.count_refused("descriptors");
                    tracing::error!(listener = self.name, "can't accept connections: {error}");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
        Ok(())
    }

    /// Serves the connection if there is a permit for it; else it is dropped, which closes it.
    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let permit = match self.permits.take(peer.ip()) {
            Ok(permit) => permit,
            Err(refusal) => return self.count_refused(refusal.as_str()),
        };
        // Answers are one small write: don't wait for more. Failing costs speed only.
        let _ = stream.set_nodelay(true);
        let server = self.server.clone();
        self.parts.job(async move {
            server.serve(stream, peer).await;
            drop(permit);
        });
    }

    fn count_refused(&self, reason: &str) {
        let refused = &METRICS.refused_connections;
        refused.with_label_values(&[self.name, reason]).inc();
    }
}

/// Tells whether only the connection that was to be accepted has failed.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
