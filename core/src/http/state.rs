//! State that the handlers share: the writers, the databases, and who may call.

use crate::accept::Acceptor;
use crate::channels::ChannelClient;
use crate::config::NAMELESS_CLIENT;
use crate::guard::fence::FenceClient;
use crate::http::error::ApiError;
use crate::outcome::OutcomeRecorder;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use sluice_contract::money::Currency;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql::Pool;
use sluice_contract::wire::ApiCode;
use std::sync::Arc;

/// Extractor of the shared state.
pub(super) type CoreApiState = State<Arc<CoreApi>>;

/// State of the API; one per process.
pub struct CoreApi {
    pub acceptor: Arc<Acceptor>,
    pub outcomes: OutcomeRecorder,
    pub pool: Pool,
    /// Server of the balances: `pool`, or the balance service's own server.
    pub balance: Pool,
    pub ledger: Pool,
    pub schemas: Schemas,
    /// Signs what a handler writes by itself.
    pub provenance: Secret,
    pub fence: FenceClient,
    pub channels: Arc<[ChannelClient]>,
    pub clients: Vec<(String, Secret)>,
    pub default_currency: Currency,
    pub max_body_bytes: usize,
}

impl CoreApi {
    /// Finds the caller's name by its bearer token, in constant time per client; a
    /// nameless one if no clients are configured (loopback only).
    pub(super) fn client(&self, headers: &HeaderMap) -> Result<&str, ApiError> {
        if self.clients.is_empty() {
            return Ok(NAMELESS_CLIENT);
        }
        let value = headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok());
        let token = value
            .and_then(|v| v.strip_prefix("Bearer "))
            .unwrap_or_default();
        let mut name = None;
        for (client, secret) in &self.clients {
            if secret.matches(token.as_bytes()) {
                name = Some(client.as_str());
            }
        }
        name.ok_or_else(|| {
            ApiError::new(
                ApiCode::Unauthorized,
                "Authorization: a known client's bearer token is needed",
            )
        })
    }

    /// Reads the body, up to its bound.
    pub(super) async fn body(&self, request: Request) -> Result<axum::body::Bytes, ApiError> {
        axum::body::to_bytes(request.into_body(), self.max_body_bytes)
            .await
            .map_err(|_| {
                ApiError::new(
                    ApiCode::BodyTooLarge,
                    &format!(
                        "the body is larger than {} bytes or was cut off",
                        self.max_body_bytes
                    ),
                )
            })
    }
}
