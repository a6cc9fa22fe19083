//! Answers to accepted requests.

use crate::accept::request::AcceptError;

/// An order (or booking) that a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRequest {
    pub order_id: String,
    /// An earlier request with this key made it.
    pub replayed: bool,
}

pub type AcceptResult = Result<AcceptedRequest, AcceptError>;

/// Answers for a used key: the same order for the same request, else a refusal.
pub fn replay(known_hash: &str, order_id: &str, hash: &str) -> AcceptResult {
    if known_hash == hash {
        Ok(AcceptedRequest {
            order_id: order_id.to_owned(),
            replayed: true,
        })
    } else {
        Err(AcceptError::KeyReused)
    }
}
