//! The end user of a request: the account that a gateway's header or a token's claim names.

use crate::access::caller::Caller;
use crate::access::client::ApiClient;
use crate::access::refusal::AccessRefusal;
use crate::config::{EndUserSource, Grant};
use axum::http::HeaderMap;
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::wire::ApiCode;
use std::sync::Arc;

/// Header in which a gateway names the account of the end user that it authenticated.
const ACCOUNT_HEADER: &str = "x-account-id";

/// Makes the caller, with the end user whom header or claim name.
pub(super) fn identified(
    client: &Arc<ApiClient>,
    headers: &HeaderMap,
    claim: Option<&str>,
    token_grants: Option<Arc<[Grant]>>,
) -> Result<Caller, AccessRefusal> {
    let header = account_header(headers)?;
    let missing = |text: &str| Err(AccessRefusal::new(ApiCode::BadField, text));
    let end_user = match (client.end_user, header, claim) {
        (None, header, _) => header,
        (Some(EndUserSource::Header), Some(account), _) => Some(account),
        (Some(EndUserSource::Header), None, _) => {
            return missing("X-Account-Id: is missing; this client acts for end users");
        }
        // A header that counts for nothing would be a gateway's silent mistake.
        (Some(EndUserSource::None | EndUserSource::Claim), Some(_), _) => {
            let text = "X-Account-Id: this client is no gateway (clients.end_user)";
            return Err(AccessRefusal::not_granted(text));
        }
        (Some(EndUserSource::None), None, _) => None,
        (Some(EndUserSource::Claim), None, Some(account)) if is_plain(account, MAX_ID_BYTES) => {
            Some(account)
        }
        (Some(EndUserSource::Claim), None, _) => {
            let text = "Authorization: the token names no account of an end user";
            return Err(AccessRefusal::not_granted(text));
        }
    };
    Ok(Caller {
        client: client.clone(),
        end_user: end_user.map(Arc::from),
        token_grants,
    })
}

/// Reads the gateway's header: once, and an account's id.
fn account_header(headers: &HeaderMap) -> Result<Option<&str>, AccessRefusal> {
    let bad = |text: String| Err(AccessRefusal::new(ApiCode::BadField, text));
    let mut all = headers.get_all(ACCOUNT_HEADER).iter();
    let Some(value) = all.next() else {
        return Ok(None);
    };
    if all.next().is_some() {
        return bad("X-Account-Id: is there twice".into());
    }
    match value.to_str().ok().filter(|id| is_plain(id, MAX_ID_BYTES)) {
        Some(account) => Ok(Some(account)),
        None => bad(format!(
            "X-Account-Id: 1 to {MAX_ID_BYTES} letters, digits and _ - . :"
        )),
    }
}
