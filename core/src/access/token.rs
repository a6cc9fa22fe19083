//! Access tokens (RFC 9068, RFC 8725): a signature of the configured issuer by one of the
//! configured algorithms, for this API, for now.

use crate::access::issuer_keys::{IssuerKey, IssuerKeys};
use crate::access::refusal::AccessRefusal;
use crate::access::token_kind::{check_kind, check_untyped};
use crate::config::{OauthConfig, TokenAlgorithm};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};
use sluice_contract::clock::now_us;
use sluice_contract::tls::ClientTls;
use sluice_contract::wire::ApiCode;
use std::collections::HashSet;
use std::time::Duration;

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Claims of a token whose signature has held.
pub(super) type TokenClaims = Map<String, Value>;

/// A verifier of access tokens.
pub(super) struct TokenVerifier {
    config: OauthConfig,
    algorithms: Vec<Algorithm>,
    keys: IssuerKeys,
}

impl TokenVerifier {
    pub fn new(config: &OauthConfig) -> anyhow::Result<Self> {
        Ok(TokenVerifier {
            algorithms: config.algorithms.iter().map(|a| algorithm(*a)).collect(),
            keys: IssuerKeys::new(config)?,
            config: config.clone(),
        })
    }

    /// Looks at the issuer's keys for as long as the process lives.
    pub async fn watch(&self) {
        loop {
            self.keys.refresh_now().await;
            tokio::time::sleep(Duration::from_secs(self.config.refresh_s)).await;
        }
    }

    /// Authority and certificate of the issuer's address.
    pub fn tls(&self) -> Option<ClientTls> {
        self.keys.tls()
    }

    pub fn config(&self) -> &OauthConfig {
        &self.config
    }

    /// Verifies kind, signature, issuer, audience and time.
    ///
    /// # Errors
    /// The first that doesn't hold; that the issuer's keys could not be read yet.
    pub async fn verify(&self, token: &str) -> Result<TokenClaims, AccessRefusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AccessRefusal::unknown("the token is too long"));
        }
        let header = decode_header(token).map_err(|_| AccessRefusal::unknown("no known token"))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(AccessRefusal::unknown(
                "the token's algorithm is not one of oauth.algorithms",
            ));
        }
        let is_typed = check_kind(header.typ.as_deref(), self.config.untyped_tokens)?;
        let key = self.key(header.kid.as_deref()).await?;
        let claims = verify_signature(token, &key, header.alg)?;
        check_claims(&claims, &self.config, now_us() / 1_000_000)?;
        if !is_typed {
            check_untyped(&claims, &self.config.client_claim)?;
        }
        Ok(claims)
    }

    /// Finds the key; an unknown one is looked for at the issuer.
    async fn key(&self, key_id: Option<&str>) -> Result<IssuerKey, AccessRefusal> {
        if let Some(key) = find_key(&self.keys.current(), key_id) {
            return Ok(key);
        }
        self.keys.refresh().await;
        let keys = self.keys.current();
        if keys.is_empty() {
            let text =
                "Authorization: the issuer's keys can't be read (oauth.jwks); try again later";
            return Err(AccessRefusal::new(ApiCode::Unavailable, text));
        }
        find_key(&keys, key_id).ok_or_else(|| {
            AccessRefusal::unknown(match key_id {
                Some(_) => "the token's key (kid) is not the issuer's",
                None => "the token names no key (kid), and the issuer has several",
            })
        })
    }
}

/// Finds the key of this id. A token may leave it out if there is only one.
fn find_key(keys: &[IssuerKey], key_id: Option<&str>) -> Option<IssuerKey> {
    let found = match (key_id, keys) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(_), _) => keys.iter().find(|k| k.key_id.as_deref() == key_id),
    };
    found.cloned()
}

/// Verifies the signature alone. The claims are read here, not by the library: it can't
/// read numbers that are kept as text, as they are in this workspace.
pub(super) fn verify_signature(
    token: &str,
    key: &IssuerKey,
    algorithm: Algorithm,
) -> Result<TokenClaims, AccessRefusal> {
    if key.algorithm.is_some_and(|only| only != algorithm) {
        return Err(AccessRefusal::unknown(
            "the token's key is for another algorithm",
        ));
    }
    let mut signature = Validation::new(algorithm);
    signature.required_spec_claims = HashSet::new();
    signature.validate_exp = false;
    signature.validate_aud = false;
    let verified = decode::<TokenClaims>(token, &key.key, &signature);
    verified
        .map(|token| token.claims)
        .map_err(|_| AccessRefusal::unknown("the token's signature does not hold"))
}

/// Checks issuer, audience and times.
fn check_claims(
    claims: &TokenClaims,
    config: &OauthConfig,
    now_s: i64,
) -> Result<(), AccessRefusal> {
    let check = |holds: bool, why: &str| match holds {
        true => Ok(()),
        false => Err(AccessRefusal::unknown(why)),
    };
    let issuer = claims.get("iss").and_then(Value::as_str);
    check(
        issuer == Some(config.issuer.as_str()),
        "the token is of another issuer (iss)",
    )?;
    let is_ours = match claims.get("aud") {
        Some(Value::String(one)) => *one == config.audience,
        Some(Value::Array(many)) => many.iter().any(|a| a.as_str() == Some(&config.audience)),
        _ => false,
    };
    check(is_ours, "the token is for another API (aud)")?;
    let leeway = i64::try_from(config.leeway_s).unwrap_or(0);
    let max_life = i64::try_from(config.max_life_s).unwrap_or(0);
    let ends = seconds(claims.get("exp"));
    check(
        ends.is_some(),
        "the token has no time at which it ends (exp)",
    )?;
    let left = ends.unwrap_or(i64::MIN).saturating_sub(now_s);
    check(left > -leeway, "the token has expired (exp)")?;
    check(
        left <= max_life,
        "the token is valid for too long (exp, oauth.max_life_s)",
    )?;
    let begins = claims.get("nbf");
    let has_begun = seconds(begins).is_some_and(|at| at.saturating_sub(now_s) <= leeway);
    check(
        begins.is_none() || has_begun,
        "the token is not valid yet (nbf)",
    )
}

/// Reads a time in seconds since 1970 UTC; a fraction is cut off.
fn seconds(claim: Option<&Value>) -> Option<i64> {
    let Some(Value::Number(number)) = claim else {
        return None;
    };
    let text = number.to_string();
    let whole = text
        .split_once('.')
        .map_or(text.as_str(), |(whole, _)| whole);
    whole.parse().ok().filter(|_| !text.contains(['e', 'E']))
}

fn algorithm(configured: TokenAlgorithm) -> Algorithm {
    match configured {
        TokenAlgorithm::Rs256 => Algorithm::RS256,
        TokenAlgorithm::Rs384 => Algorithm::RS384,
        TokenAlgorithm::Rs512 => Algorithm::RS512,
        TokenAlgorithm::Ps256 => Algorithm::PS256,
        TokenAlgorithm::Ps384 => Algorithm::PS384,
        TokenAlgorithm::Ps512 => Algorithm::PS512,
        TokenAlgorithm::Es256 => Algorithm::ES256,
        TokenAlgorithm::Es384 => Algorithm::ES384,
        TokenAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
