//! Signatures of the payout API, in a header of its own form: `t=<seconds since
//! 1970>,n=<nonce>,v2=<hex>`, both ways. Scheme `v2` is the code over the canonical text
//! of `sluice_contract::signing`. Scheme `v1`, over `t.body` alone, is not taken: it holds
//! for a reply as for a webhook, and for one request as for another.

use crate::channels::adapter::{SigningContext, header};
use reqwest::header::HeaderMap;
use sluice_contract::signing::{MessageScope, SignatureError};

pub(super) const PSP_SIGNATURE_HEADER: &str = "psp-signature";
/// Tells the provider which secret signed; not secret itself.
pub(super) const KEY_ID_HEADER: &str = "psp-key-id";
/// Signatures looked at in one header: the provider has two secrets at most.
const MAX_SIGNATURES: usize = 4;

/// Writes the header's value.
pub(super) fn signature(scope: MessageScope<'_>, body: &[u8], seal: SigningContext<'_>) -> String {
    let code = scope.sign(seal.keys.current(), seal.now_s, body);
    format!("t={},n={},v2={code}", seal.now_s, scope.nonce)
}

/// Reads the nonce that the header names; empty if there is none.
pub(super) fn nonce_of(headers: &HeaderMap) -> &str {
    named(headers, "n").next().unwrap_or_default()
}

/// Checks the header: it may carry several `v2`, while the provider changes its secret.
pub(super) fn verify(
    scope: MessageScope<'_>,
    headers: &HeaderMap,
    body: &[u8],
    seal: SigningContext<'_>,
) -> Result<(), SignatureError> {
    let time = named(headers, "t").next();
    let mut result = Err(SignatureError::Malformed);
    for code in named(headers, "v2").take(MAX_SIGNATURES) {
        result = seal
            .keys
            .either(|secret| scope.verify(secret, seal.now_s, time, Some(code), body));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Every part of the header under this name.
fn named<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    header(headers, PSP_SIGNATURE_HEADER)
        .unwrap_or_default()
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .filter(move |(named, _)| *named == name)
        .map(|(_, value)| value)
}
