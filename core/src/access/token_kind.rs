//! Kinds of tokens: one issuer signs several, with the same key and often for the same
//! audience. An access token alone says what its bearer may do here; an ID token tells a
//! client who somebody is, and is seen by many more.

use crate::access::refusal::AccessRefusal;
use crate::access::token::TokenClaims;
use serde_json::Value;

/// `typ` of access tokens (RFC 9068 §2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// Types that an issuer writes that has none for access tokens.
const GENERAL_TYPE: &str = "JWT";

/// Claims of other kinds: ID tokens (OpenID Connect Core §2, §3.3.2.11), logout tokens
/// (Back-Channel Logout §2.4), security events (RFC 8417).
const FOREIGN_CLAIMS: [&str; 6] = ["nonce", "at_hash", "c_hash", "s_hash", "events", "toe"];

/// Claims by which issuers that set no `typ` tell their tokens apart, and the value of an
/// access token.
const KIND_CLAIMS: [(&str, &str); 2] = [("token_use", "access"), ("typ", "Bearer")];

/// Tells whether the header says that this is an access token.
///
/// # Errors
/// It says something else, or nothing although it must.
pub(super) fn check_kind(kind: Option<&str>, untyped: bool) -> Result<bool, AccessRefusal> {
    let kind = kind.map(|kind| match kind.split_at_checked("application/".len()) {
        Some((media, rest)) if media.eq_ignore_ascii_case("application/") => rest,
        _ => kind,
    });
    let is = |known: &str| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(known));
    match is(ACCESS_TOKEN_TYPE) {
        true => Ok(true),
        false if untyped && (kind.is_none() || is(GENERAL_TYPE)) => Ok(false),
        false => Err(AccessRefusal::unknown(
            "the token is no access token: typ must be at+jwt (for an issuer that can't set it: \
             oauth.untyped_tokens)",
        )),
    }
}

/// Refuses an untyped token that has a mark of another kind.
pub(super) fn check_untyped(claims: &TokenClaims, client_claim: &str) -> Result<(), AccessRefusal> {
    let refuse = |mark: &str| {
        let why =
            format!("the token is no access token: it has the marks of another kind ({mark})");
        Err(AccessRefusal::unknown(&why))
    };
    if let Some(mark) = FOREIGN_CLAIMS.iter().find(|c| claims.contains_key(**c)) {
        return refuse(mark);
    }
    for (claim, of_access) in KIND_CLAIMS {
        let told = claims.get(claim);
        let is_access = |v: &Value| {
            v.as_str()
                .is_some_and(|v| v.eq_ignore_ascii_case(of_access))
        };
        if told.is_some_and(|v| !is_access(v)) {
            return refuse(claim);
        }
    }
    // An ID token is for the client that asked for it; an access token is for an API.
    let client = claims.get(client_claim);
    let is_for_client = match claims.get("aud") {
        Some(Value::Array(many)) => many.iter().any(|a| Some(a) == client),
        one => one.is_some() && one == client,
    };
    match is_for_client {
        true => refuse("aud is the client itself"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_by_table() {
        for (kind, strict, untyped) in [
            (Some("at+jwt"), Some(true), Some(true)),
            (Some("AT+JWT"), Some(true), Some(true)),
            (Some("application/at+jwt"), Some(true), Some(true)),
            (Some("Application/at+jwt"), Some(true), Some(true)),
            (Some("JWT"), None, Some(false)),
            (Some("application/jwt"), None, Some(false)),
            (None, None, Some(false)),
            (Some(""), None, None),
            (Some("ID"), None, None),
            (Some("logout+jwt"), None, None),
            (Some("dpop+jwt"), None, None),
            (Some("at+jwt "), None, None),
            (Some("application/application/at+jwt"), None, None),
            (Some("applicatiön/at+jwt"), None, None),
        ] {
            assert_eq!(check_kind(kind, false).ok(), strict, "{kind:?}");
            assert_eq!(check_kind(kind, true).ok(), untyped, "{kind:?}, untyped");
        }
    }

    #[test]
    fn marks_of_other_kinds_by_table() {
        for (changes, refused) in [
            (json!({}), None),
            (json!({ "token_use": "access" }), None),
            (json!({ "typ": "Bearer" }), None),
            (json!({ "aud": ["sluice", "account"] }), None),
            (json!({ "auth_time": 1, "acr": "1", "amr": ["pwd"] }), None),
            (json!({ "nonce": "n" }), Some("nonce")),
            (json!({ "nonce": null }), Some("nonce")),
            (json!({ "at_hash": "h" }), Some("at_hash")),
            (json!({ "c_hash": "h" }), Some("c_hash")),
            (json!({ "s_hash": "h" }), Some("s_hash")),
            (json!({ "events": {} }), Some("events")),
            (json!({ "token_use": "id" }), Some("token_use")),
            (json!({ "typ": "ID" }), Some("typ")),
            (json!({ "typ": 7 }), Some("typ")),
            (json!({ "aud": "app" }), Some("aud")),
            (json!({ "aud": ["sluice", "app"] }), Some("aud")),
        ] {
            let mut claims = TokenClaims::new();
            claims.insert("aud".into(), json!("sluice"));
            claims.insert("azp".into(), json!("app"));
            claims.extend(changes.as_object().expect("an object").clone());
            let found = check_untyped(&claims, "azp");
            match refused {
                None => assert_eq!(found, Ok(()), "{changes}"),
                Some(mark) => {
                    let text = found.expect_err("is refused").text;
                    assert!(text.contains(mark), "{changes}: {text}");
                }
            }
        }
    }
}
