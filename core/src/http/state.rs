//! State that the handlers share: the writers, the databases, and who may call.

use crate::accept::Acceptor;
use crate::access::AccessControl;
use crate::channels::ChannelClient;
use crate::guard::fence::FenceClient;
use crate::http::error::ApiError;
use crate::http::reads::LedgerReads;
use crate::outcome::OutcomeRecorder;
use axum::extract::{Request, State};
use sluice_contract::keys::SigningKeys;
use sluice_contract::money::Currency;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
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
    /// Connections of statements and entries.
    pub reads: LedgerReads,
    pub schemas: Schemas,
    /// Keys of the breakers' seal.
    pub provenance: SigningKeys,
    /// Signs what a handler writes by itself.
    pub signer: TransactionSigner,
    pub fence: FenceClient,
    pub channels: Arc<[ChannelClient]>,
    pub access: Arc<AccessControl>,
    pub default_currency: Currency,
    /// Whether a payment of an unknown payer may be refunded to anybody.
    pub refund_unknown_payer: bool,
    pub max_body_bytes: usize,
    pub listing_delay_ms: u32,
}

impl CoreApi {
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
