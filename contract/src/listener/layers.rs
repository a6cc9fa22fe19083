//! Layers around a listener's routes: rates by address and by client, and the time that a
//! whole request may take.

use crate::listener::ListenerSettings;
use crate::listener::metrics::METRICS;
use crate::listener::permits::network_of;
use crate::wire::{ApiCode, ApiResponse};
use axum::error_handling::HandleErrorLayer;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Json, Router};
use governor::middleware::NoOpMiddleware;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceBuilder;
use tower_governor::governor::{GovernorConfig, GovernorConfigBuilder};
use tower_governor::key_extractor::KeyExtractor;
use tower_governor::{GovernorError, GovernorLayer};

/// Interval at which keys that nobody uses are forgotten: their number is bounded by what
/// comes in this time.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

/// Finds the client of a request, as a number that is the same for all of its requests;
/// `None` is nobody: all of an address are then one client.
pub type ClientKey = Arc<dyn Fn(&Extensions, &HeaderMap) -> Option<u64> + Send + Sync>;

/// The client by what it shows to be itself, before anybody has checked it: who makes
/// tokens up has a rate of their own and no more than that of the address, and lowers
/// nobody's. A signed request shows another signature each time: those that hold are
/// counted by [`ClientRates`](crate::listener::ClientRates).
pub fn authorization_key() -> ClientKey {
    let hasher = RandomState::new();
    Arc::new(move |_, headers| {
        let shown = headers.get(header::AUTHORIZATION)?;
        Some(hasher.hash_one(shown.as_bytes()))
    })
}

/// No client at all: only addresses are told apart.
pub fn nobody_key() -> ClientKey {
    Arc::new(|_, _| None)
}

type RateLimits<K> = Arc<GovernorConfig<K, NoOpMiddleware>>;

/// Rates and time of one listener's requests.
#[derive(Clone)]
pub(super) struct RequestLimits {
    name: &'static str,
    timeout: Duration,
    by_address: RateLimits<AddressKey>,
    by_client: RateLimits<CallerKey>,
}

impl RequestLimits {
    pub fn new(name: &'static str, settings: &ListenerSettings, client: ClientKey) -> Self {
        let caller = CallerKey {
            client,
            of_nobody: RandomState::new(),
        };
        RequestLimits {
            name,
            timeout: settings.request_timeout(),
            by_address: rate(settings.requests_per_second_per_address, AddressKey),
            by_client: rate(settings.requests_per_second_per_client, caller),
        }
    }

    /// Puts the layers around the routes, the cheapest refusal first.
    pub fn around(&self, routes: Router) -> Router {
        let (name, timeout) = (self.name, self.timeout);
        let too_often = |reason| move |error| too_often(name, reason, &error);
        let by_address = GovernorLayer::new(self.by_address.clone());
        let by_client = GovernorLayer::new(self.by_client.clone());
        // One layer of the router: each is an allocation per request.
        let layers = ServiceBuilder::new()
            .layer(by_address.error_handler(too_often("address_rate")))
            .layer(by_client.error_handler(too_often("client_rate")))
            .layer(HandleErrorLayer::new(move |error: BoxError| async move {
                out_of_time(name, timeout, &error)
            }))
            .timeout(timeout);
        routes.layer(layers)
    }

    /// Forgets clients and addresses whose rates have recovered, for ever.
    pub async fn forget_idle_keys(self) {
        loop {
            tokio::time::sleep(FORGET_INTERVAL).await;
            self.by_address.limiter().retain_recent();
            self.by_client.limiter().retain_recent();
        }
    }
}

/// A rate whose burst is a second's worth.
fn rate<K: KeyExtractor>(per_second: u32, key: K) -> RateLimits<K> {
    let per_second = per_second.max(1);
    let config = GovernorConfigBuilder::default()
        .period(Duration::from_secs(1) / per_second)
        .burst_size(per_second)
        .key_extractor(key)
        .finish();
    match config {
        Some(config) => Arc::new(config),
        // Neither is 0: a second has more nanoseconds than any rate that passes the check.
        None => unreachable!("a rate of {per_second} per second"),
    }
}

/// Key of the address that a request comes from.
#[derive(Debug, Clone, Copy)]
struct AddressKey;

impl KeyExtractor for AddressKey {
    type Key = IpAddr;

    fn extract<T>(&self, request: &Request<T>) -> Result<IpAddr, GovernorError> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.ok_or(GovernorError::UnableToExtractKey)?;
        Ok(network_of(peer.ip()))
    }
}

/// Key of the client that a request is of.
#[derive(Clone)]
struct CallerKey {
    client: ClientKey,
    of_nobody: RandomState,
}

impl KeyExtractor for CallerKey {
    type Key = u64;

    fn extract<T>(&self, request: &Request<T>) -> Result<u64, GovernorError> {
        match (self.client)(request.extensions(), request.headers()) {
            Some(client) => Ok(client),
            None => Ok(self.of_nobody.hash_one(AddressKey.extract(request)?)),
        }
    }
}

fn too_often(name: &str, reason: &str, error: &GovernorError) -> Response {
    count_refused(name, reason);
    let wait_s = match error {
        // Rounded down by the library: a client that comes back at once comes too early.
        GovernorError::TooManyRequests { wait_time, .. } => wait_time + 1,
        GovernorError::UnableToExtractKey | GovernorError::Other { .. } => 1,
    };
    let of = if reason == "client_rate" {
        "this client"
    } else {
        "this address"
    };
    let mut answer = refusal(
        ApiCode::RateLimited,
        format!("{of} sends too many requests: wait {wait_s} s"),
    );
    let headers = answer.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    answer
}

fn out_of_time(name: &str, timeout: Duration, error: &BoxError) -> Response {
    count_refused(name, "request_timeout");
    tracing::info!(listener = name, "request cut off: {error}");
    refusal(
        ApiCode::RequestTimeout,
        format!(
            "the request was not complete, or not answered, within {timeout:?}: repeat it with the same key"
        ),
    )
}

fn refusal(code: ApiCode, msg: String) -> Response {
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = ApiResponse::<()> {
        code: code as u32,
        msg,
        data: None,
    };
    (status, Json(body)).into_response()
}

pub(super) fn count_refused(name: &str, reason: &str) {
    let refused = &METRICS.refused_requests;
    refused.with_label_values(&[name, reason]).inc();
}
