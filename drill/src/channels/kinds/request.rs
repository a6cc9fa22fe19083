//! A request to a channel's own API: what its signature covers, and what its reply's does.

use crate::channels::kinds::SimulatorKind;
use crate::channels::kinds::backend::SharedBackend;
use axum::http::{HeaderMap, Uri};
use bytes::Bytes;
use sluice_contract::clock::now_us;
use sluice_contract::signing::{MessageDirection, MessageScope, SignatureError};

/// A request, as far as its reply depends on it.
pub(super) struct ChannelRequest {
    pub backend: SharedBackend,
    pub kind: SimulatorKind,
    /// As the caller sees it: below the channel's base URL.
    path: String,
    nonce: String,
}

impl ChannelRequest {
    pub fn new(
        backend: SharedBackend,
        kind: SimulatorKind,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Self {
        let simulator = kind.simulator();
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let below = path.strip_prefix(simulator.base_path()).unwrap_or(path);
        ChannelRequest {
            backend,
            kind,
            path: below.to_owned(),
            nonce: simulator.nonce(headers).to_owned(),
        }
    }

    /// Checks the caller's signature over a body sent in this direction.
    pub fn verify(
        &self,
        direction: MessageDirection,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let keys = self.backend.keys(self.kind);
        let now_s = now_us() / 1_000_000;
        let simulator = self.kind.simulator();
        simulator.verify(&keys, now_s, headers, self.scope(direction), body)
    }

    /// Headers that sign the reply.
    pub fn reply_signature(&self, body: &Bytes) -> Vec<(&'static str, String)> {
        let keys = self.backend.keys(self.kind);
        let now_s = now_us() / 1_000_000;
        let scope = self.scope(MessageDirection::Reply);
        self.kind.simulator().signature(&keys, now_s, scope, body)
    }

    fn scope(&self, direction: MessageDirection) -> MessageScope<'_> {
        MessageScope {
            direction,
            channel: self.kind.id(),
            path: &self.path,
            nonce: &self.nonce,
        }
    }
}
