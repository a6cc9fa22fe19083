//! Signatures of the payout API, in a header of its own form.

use crate::channels::adapter::{SigningContext, header};
use reqwest::header::HeaderMap;
use sluice_contract::settings::Secret;
use sluice_contract::signing::{self, SignatureError};

/// Signature: `t=<seconds since 1970>,v1=<hex HMAC-SHA256 over "t.body">`, both ways. A
/// message without a body is signed by its path and query instead.
pub(super) const PSP_SIGNATURE_HEADER: &str = "psp-signature";
/// Tells the provider which secret signed; not secret itself.
pub(super) const KEY_ID_HEADER: &str = "psp-key-id";
/// Signatures looked at in one header: the provider has two secrets at most.
const MAX_SIGNATURES: usize = 4;

/// Names a secret, so that both sides know which one signed.
pub(super) fn key_id(secret: &Secret) -> String {
    let mut id = signing::sign(secret, 0, b"key id");
    id.truncate(16);
    id
}

/// Checks the header: it may carry several `v1`, while the provider changes its secret.
pub(super) fn verify(
    headers: &HeaderMap,
    body: &[u8],
    seal: SigningContext<'_>,
) -> Result<(), SignatureError> {
    let text = header(headers, PSP_SIGNATURE_HEADER).ok_or(SignatureError::Malformed)?;
    let parts = || {
        text.split(',')
            .filter_map(|part| part.trim().split_once('='))
    };
    let time = parts()
        .find(|(name, _)| *name == "t")
        .map(|(_, value)| value);
    let mut result = Err(SignatureError::Malformed);
    for (_, signature) in parts()
        .filter(|(name, _)| *name == "v1")
        .take(MAX_SIGNATURES)
    {
        result = seal
            .keys
            .either(|secret| signing::verify(secret, seal.now_s, time, Some(signature), body));
        if result.is_ok() {
            break;
        }
    }
    result
}
