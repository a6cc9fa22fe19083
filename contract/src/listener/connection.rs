//! One connection: TLS if the listener has it, then requests until its end.

use crate::listener::ListenerSettings;
use crate::listener::metrics::METRICS;
use crate::listener::stalled_writes::WriteTimeoutStream;
use crate::tls::{PeerCertificateName, ServerTls};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// Largest head of a request, and most headers in it.
const MAX_HEAD_BYTES: usize = 64 * 1_024;
const MAX_HEADERS: usize = 64;

/// Server of a listener's connections; clones share all.
#[derive(Clone)]
pub(super) struct ConnectionServer {
    name: &'static str,
    protocol: http1::Builder,
    header_timeout: Duration,
    write_timeout: Duration,
    tls: Option<ServerTls>,
    routes: Router,
    stop: CancellationToken,
}

/// Counts a connection as open for as long as it lives.
struct OpenConnection(prometheus::IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ConnectionServer {
    pub fn new(
        name: &'static str,
        settings: &ListenerSettings,
        tls: Option<ServerTls>,
        routes: Router,
        stop: CancellationToken,
    ) -> Self {
        let mut protocol = http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_timeout())
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS);
        ConnectionServer {
            name,
            protocol,
            header_timeout: settings.header_timeout(),
            write_timeout: settings.write_timeout(),
            tls,
            routes,
            stop,
        }
    }

    /// Serves one connection until its end.
    pub async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let open = METRICS.connections.with_label_values(&[self.name]);
        open.inc();
        let _open = OpenConnection(open);
        let stream = WriteTimeoutStream::new(stream, self.write_timeout);
        let Some(tls) = &self.tls else {
            return self.requests(stream, peer, None).await;
        };
        let shaken = tokio::time::timeout(self.header_timeout, tls.accept(stream));
        let Some(shaken) = self.stop.run_until_cancelled(shaken).await else {
            return;
        };
        match shaken {
            Ok(Ok((stream, name))) => self.requests(stream, peer, name).await,
            Ok(Err(refusal)) => {
                tracing::info!(listener = self.name, %peer, "refused: {refusal}");
                self.count_refused(refusal.as_str());
            }
            Err(_) => self.count_refused("handshake"),
        }
    }

    async fn requests(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        name: Option<PeerCertificateName>,
    ) {
        let routes = self.routes.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let known = request.extensions_mut();
            known.insert(ConnectInfo(peer));
            if let Some(name) = &name {
                known.insert(name.clone());
            }
            routes.clone().call(request)
        });
        let serving = self
            .protocol
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(serving);
        let ended = tokio::select! {
            ended = &mut serving => ended,
            () = self.stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        match ended {
            Err(error) if error.is_timeout() => {
                let refused = &METRICS.refused_requests;
                refused
                    .with_label_values(&[self.name, "head_timeout"])
                    .inc();
            }
            // Anything else is the end of a connection that the client has broken off.
            Err(error) => tracing::debug!(listener = self.name, %peer, "connection: {error}"),
            Ok(()) => {}
        }
    }

    fn count_refused(&self, reason: &str) {
        let refused = &METRICS.refused_connections;
        refused.with_label_values(&[self.name, reason]).inc();
    }
}
