//! A client as it is configured, ready to be asked.

use crate::access::refusal::AccessRefusal;
use crate::access::scope::AccountScope;
use crate::config::{
    AmountBound, ClientAuthentication, ClientConfig, EndUserSource, Grant, NAMELESS_CLIENT,
};
use sluice_contract::keys::KeyRing;

/// One client, its proof and its grants.
#[derive(Debug)]
pub struct ApiClient {
    pub name: String,
    pub(super) may: Vec<Grant>,
    pub(super) accounts: AccountScope,
    pub(super) amounts: Vec<AmountBound>,
    pub(super) authentication: ClientAuthentication,
    /// None: the nameless one, for whom a header may name the end user's account.
    pub(super) end_user: Option<EndUserSource>,
    /// The `sub` of its own access tokens, where a token speaks for the client itself.
    own_subject: Option<String>,
    pub(super) keys: Option<KeyRing>,
}

impl ApiClient {
    /// Makes the client of these settings.
    ///
    /// # Errors
    /// An amount that can't be read.
    pub(super) fn new(config: &ClientConfig, keys: Option<KeyRing>) -> anyhow::Result<Self> {
        Ok(ApiClient {
            name: config.name.clone(),
            may: config.may.clone(),
            accounts: AccountScope::new(&config.accounts),
            amounts: config.bounds()?,
            authentication: config.authentication,
            end_user: Some(config.end_user),
            own_subject: config.own_subject().map(str::to_owned),
            keys,
        })
    }

    /// Checks that an access token is the client's own. A user who logs in through the client
    /// gets tokens with the same client and audience: they may not speak for the whole of it.
    ///
    /// # Errors
    /// The token's `sub` is missing or names somebody else.
    pub(super) fn check_subject(&self, subject: Option<&str>) -> Result<(), AccessRefusal> {
        match &self.own_subject {
            Some(own) if subject != Some(own) => Err(AccessRefusal::unknown(
                "the token is not the client's own (sub, clients.subject)",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Makes the one caller of a core without configured clients: on loopback alone, it
    /// may do everything.
    pub(super) fn nameless() -> Self {
        ApiClient {
            name: NAMELESS_CLIENT.to_owned(),
            may: Grant::ALL.to_vec(),
            accounts: AccountScope::everything(),
            amounts: Vec::new(),
            authentication: ClientAuthentication::Bearer,
            end_user: None,
            own_subject: None,
            keys: None,
        }
    }
}
