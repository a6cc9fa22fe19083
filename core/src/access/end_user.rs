//! The end user of a request: the account that a gateway's header or a token's claim names,
//! and whom limits per user count.

use crate::access::caller::Caller;
use crate::access::client::ApiClient;
use crate::access::refusal::AccessRefusal;
use crate::config::{EndUserSource, Grant};
use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::wire::ApiCode;
use std::sync::Arc;

/// Header in which a gateway names the account of the end user that it authenticated.
const ACCOUNT_HEADER: &str = "x-account-id";

/// Claims of an access token that name the end user.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EndUserClaims<'a> {
    pub account: Option<&'a str>,
    /// The user, who may have several accounts.
    pub user: Option<&'a str>,
}

/// Makes the caller, with the end user whom header or claims name.
pub(super) fn identified(
    client: &Arc<ApiClient>,
    headers: &HeaderMap,
    claims: EndUserClaims<'_>,
    token_grants: Option<Arc<[Grant]>>,
) -> Result<Caller, AccessRefusal> {
    let header = account_header(headers)?;
    let missing = |text: &str| Err(AccessRefusal::new(ApiCode::BadField, text));
    let end_user = match (client.end_user, header, claims.account) {
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
    let user = match client.end_user {
        Some(EndUserSource::Claim) => claims.user.filter(|user| !user.is_empty()),
        Some(EndUserSource::Header | EndUserSource::None) | None => None,
    };
    Ok(Caller {
        client: client.clone(),
        end_user: end_user.map(Arc::from),
        user: user.map(user_id).or(end_user.map(Arc::from)),
        token_grants,
    })
}

/// Makes the id under which a user is counted. An issuer's name for one may be longer than
/// the column, or have other signs: then its hash stands for it.
fn user_id(named: &str) -> Arc<str> {
    if is_plain(named, MAX_ID_BYTES) {
        return Arc::from(named);
    }
    let digest = hex::encode(Sha256::digest(named));
    let prefix = "sub:";
    let room = MAX_ID_BYTES - prefix.len();
    Arc::from(format!("{prefix}{}", &digest[..room]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_counted_under_ids_that_the_column_holds() {
        assert_eq!(&*user_id("u-7"), "u-7");
        let long = "u".repeat(MAX_ID_BYTES + 1);
        let odd = ["auth0|5f7c8ec7", "ü", "a b", long.as_str()];
        let ids: Vec<_> = odd.iter().map(|user| user_id(user)).collect();
        assert!(ids.iter().all(|id| is_plain(id, MAX_ID_BYTES)), "{ids:?}");
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), odd.len(), "{ids:?}");
        assert_eq!(user_id("a b"), user_id("a b"));
    }
}
