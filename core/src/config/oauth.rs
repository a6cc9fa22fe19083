//! The issuer whose access tokens are believed (OAuth 2.0, OpenID Connect).

use anyhow::{Context, ensure};
use serde::Deserialize;
use sluice_contract::string_enum;
use sluice_contract::tls::ClientTlsSettings;
use std::net::IpAddr;

string_enum! {
    /// Signatures of access tokens that can be allowed: those of key pairs alone, so that
    /// nobody signs with what verifies (RFC 8725 §2.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum TokenAlgorithm("algorithm of access tokens") {
        Rs256 = "RS256",
        Rs384 = "RS384",
        Rs512 = "RS512",
        Ps256 = "PS256",
        Ps384 = "PS384",
        Ps512 = "PS512",
        Es256 = "ES256",
        Es384 = "ES384",
        EdDsa = "EdDSA",
    }
}

/// Settings of `[oauth]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthConfig {
    /// `iss` of the tokens, to the letter.
    pub issuer: String,
    /// One of the tokens' `aud`: this API's name at the issuer.
    pub audience: String,
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<TokenAlgorithm>,
    /// The issuer's keys (RFC 7517): an `https://` address, or a file. `http://` is for
    /// loopback alone.
    pub jwks: String,
    /// Claim that names the client (RFC 9068: `client_id`; some issuers: `azp`).
    #[serde(default = "default_client_claim")]
    pub client_claim: String,
    /// Claim that names the end user's account, for clients with `end_user = "claim"`.
    #[serde(default = "default_account_claim")]
    pub account_claim: String,
    /// Claim that names the end user, whom limits per user count (RFC 9068: `sub`).
    #[serde(default = "default_user_claim")]
    pub user_claim: String,
    /// Takes tokens that don't say `at+jwt` in `typ`, of an issuer that doesn't set it; what
    /// has the marks of an ID token is still refused.
    #[serde(default)]
    pub untyped_tokens: bool,
    /// Authority of the address in `jwks`, and the certificate that it asks for.
    #[serde(default)]
    pub tls: ClientTlsSettings,
    /// If set, a call needs `<scope_prefix><grant>` among the words of the claim `scope`.
    pub scope_prefix: Option<String>,
    /// Seconds that the clocks of issuer and core may differ.
    #[serde(default = "default_leeway_s")]
    pub leeway_s: u64,
    /// Seconds that a token may still be valid for at most: one without a near end is
    /// refused.
    #[serde(default = "default_max_life_s")]
    pub max_life_s: u64,
    /// Interval between two looks at the keys.
    #[serde(default = "default_refresh_s")]
    pub refresh_s: u64,
    /// Interval between two looks that unknown key ids cause.
    #[serde(default = "default_min_refresh_ms")]
    pub min_refresh_ms: u64,
}

fn default_algorithms() -> Vec<TokenAlgorithm> {
    vec![TokenAlgorithm::Rs256, TokenAlgorithm::Es256]
}
fn default_client_claim() -> String {
    "client_id".into()
}
fn default_account_claim() -> String {
    "account_id".into()
}
fn default_user_claim() -> String {
    "sub".into()
}
fn default_leeway_s() -> u64 {
    30
}
fn default_max_life_s() -> u64 {
    86_400
}
fn default_refresh_s() -> u64 {
    300
}
fn default_min_refresh_ms() -> u64 {
    10_000
}

impl OauthConfig {
    /// Refuses what would let anybody's token in.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.issuer.is_empty(), "oauth.issuer is empty");
        ensure!(!self.audience.is_empty(), "oauth.audience is empty");
        ensure!(!self.algorithms.is_empty(), "oauth.algorithms is empty");
        let claims = [&self.client_claim, &self.account_claim, &self.user_claim];
        ensure!(
            claims.iter().all(|c| !c.is_empty()),
            "oauth.client_claim, oauth.account_claim or oauth.user_claim is empty"
        );
        self.tls.check("oauth.tls")?;
        ensure!(
            self.is_remote() || !self.tls.is_set(),
            "oauth.tls is for an address, and oauth.jwks = {:?} is a file",
            self.jwks
        );
        for (key, value, max) in [
            ("leeway_s", self.leeway_s, 300),
            ("max_life_s", self.max_life_s, 30 * 86_400),
            ("refresh_s", self.refresh_s, 86_400),
            ("min_refresh_ms", self.min_refresh_ms, 3_600_000),
        ] {
            let min = u64::from(key != "leeway_s");
            ensure!(
                (min..=max).contains(&value),
                "oauth.{key} = {value}: {min} to {max}"
            );
        }
        self.check_source()
            .with_context(|| format!("oauth.jwks = {:?}", self.jwks))
    }

    /// Tells whether the keys are at an address, not in a file.
    pub fn is_remote(&self) -> bool {
        self.jwks.contains("://")
    }

    fn check_source(&self) -> anyhow::Result<()> {
        ensure!(!self.jwks.is_empty(), "is empty");
        if !self.is_remote() {
            return Ok(());
        }
        let url: axum::http::Uri = self.jwks.parse().context("is no address")?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_loopback =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        ensure!(
            url.scheme_str() == Some("https") || (url.scheme_str() == Some("http") && is_loopback),
            "keys that anybody on the way could exchange: use https://"
        );
        Ok(())
    }
}
