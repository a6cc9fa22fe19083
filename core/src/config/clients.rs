//! Callers of the API: their names, how each proves who it is, and what each may do.

use anyhow::{Context, bail, ensure};
use rust_decimal::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::money::{Currency, parse_amount};
use sluice_contract::string_enum;
use std::collections::BTreeSet;

/// The caller's name if no clients are configured.
pub const NAMELESS_CLIENT: &str = "local";

/// Under whose name payments have their keys; no caller of the API can have it.
pub const INTAKE_CLIENT: &str = "kafka";

/// Under whose name deposits of all callers had their keys before each had its own.
pub const FORMER_DEPOSIT_CLIENT: &str = "deposit";

/// Word in `accounts` for the account that the end user's token or gateway names.
pub const OWNER_WORD: &str = "owner";

string_enum! {
    /// Kind of calls that a client may be granted.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Grant("grant") {
        Withdraw = "withdraw",
        Settle = "settle",
        Refund = "refund",
        Deposit = "deposit",
        Read = "read",
        Cancel = "cancel",
    }
}

string_enum! {
    /// Proof by which a client shows who it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum ClientAuthentication("authentication") {
        /// The token in the secret `client_<name>`, or `client_<name>_next` while it rolls.
        #[default]
        Bearer = "bearer",
        /// Each request is signed with one of the same two secrets.
        Hmac = "hmac",
        /// An access token of the issuer in `[oauth]` that names the client.
        Jwt = "jwt",
    }
}

string_enum! {
    /// Source of the end user's account, for clients that act for end users.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum EndUserSource("end_user") {
        /// The client acts for itself.
        #[default]
        None = "none",
        /// A gateway that authenticates end users names the account in `X-Account-Id`.
        Header = "header",
        /// The claim `oauth.account_claim` of the access token.
        Claim = "claim",
    }
}

/// One caller.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    pub name: String,
    #[serde(default = "default_grants")]
    pub may: Vec<Grant>,
    /// Accounts by id, by prefix (`shop-*`), all (`*`), or `owner`. Needed unless the
    /// client acts for end users, whose own account is the default.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Bounds of amounts, one a currency. If any is given, other currencies are refused.
    #[serde(default)]
    pub amounts: Vec<AmountGrant>,
    #[serde(default)]
    pub authentication: ClientAuthentication,
    #[serde(default)]
    pub end_user: EndUserSource,
    /// Claim `sub` of the tokens that the client gets for itself, if it isn't its name; see
    /// `own_subject`.
    #[serde(default)]
    pub subject: Option<String>,
}

/// Bounds of the amounts of a client's calls in one currency.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmountGrant {
    pub currency: String,
    /// Major units, as text: the most that one call may move.
    pub per_call: Option<String>,
    /// Major units, as text: the most that all calls of one kind may move in an hour of
    /// the clock, over all cores.
    pub per_hour: Option<String>,
}

/// Bounds of a client's calls in one currency, in major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountBound {
    pub currency: Currency,
    pub per_call: Option<Decimal>,
    pub per_hour: Option<Decimal>,
}

fn default_grants() -> Vec<Grant> {
    vec![Grant::Withdraw, Grant::Read, Grant::Cancel]
}

/// Reads `clients`; names alone, which an earlier form allowed, say nothing of what each
/// may do.
pub(super) fn tables<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ClientConfig>, D::Error> {
    let read = |value: toml::Value| match value {
        toml::Value::String(name) => Err(D::Error::custom(format!(
            "{name:?} is a name alone; write a table [[clients]] with name, may and accounts (docs/ACCESS.md)"
        ))),
        table => table.try_into().map_err(D::Error::custom),
    };
    Vec::<toml::Value>::deserialize(from)?
        .into_iter()
        .map(read)
        .collect()
}

/// Refuses names that can't be shown or that the core uses itself, and grants that can't
/// be kept.
pub(super) fn check_clients(clients: &[ClientConfig], oauth: bool) -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    for client in clients {
        let name = &client.name;
        client
            .check(oauth)
            .with_context(|| format!("clients: {name:?}"))?;
        ensure!(names.insert(name), "clients: {name:?} is there twice");
    }
    Ok(())
}

impl ClientConfig {
    fn check(&self, oauth: bool) -> anyhow::Result<()> {
        ensure!(is_plain(&self.name, 32), "is not a plain name");
        let taken = [FORMER_DEPOSIT_CLIENT, INTAKE_CLIENT].contains(&self.name.as_str());
        ensure!(!taken, "is used by the core itself; choose another name");
        let is_jwt = self.authentication == ClientAuthentication::Jwt;
        ensure!(
            oauth || !is_jwt,
            "authentication = \"jwt\" needs the table [oauth]"
        );
        ensure!(
            is_jwt || self.end_user != EndUserSource::Claim,
            "end_user = \"claim\" needs authentication = \"jwt\""
        );
        let speaks_by_token = is_jwt && self.end_user != EndUserSource::Claim;
        ensure!(
            speaks_by_token || self.subject.is_none(),
            "subject needs authentication = \"jwt\", and another end_user than \"claim\""
        );
        ensure!(
            self.subject.as_deref() != Some(""),
            "subject is empty: write the claim `sub` of the client's own tokens"
        );
        self.check_accounts()?;
        self.bounds().map(drop)
    }

    /// Tells the `sub` that an access token must have to speak for the client itself. None:
    /// another proof is needed, or each token speaks for the user whom it names.
    pub fn own_subject(&self) -> Option<&str> {
        match (self.authentication, self.end_user) {
            (ClientAuthentication::Bearer | ClientAuthentication::Hmac, _)
            | (ClientAuthentication::Jwt, EndUserSource::Claim) => None,
            (ClientAuthentication::Jwt, EndUserSource::None | EndUserSource::Header) => {
                Some(self.subject.as_deref().unwrap_or(&self.name))
            }
        }
    }

    fn check_accounts(&self) -> anyhow::Result<()> {
        let for_itself = self.end_user == EndUserSource::None;
        if self.accounts.is_empty() && for_itself {
            bail!("accounts is missing: ids, prefixes such as \"shop-*\", or \"*\" for all");
        }
        for account in &self.accounts {
            if account == OWNER_WORD {
                ensure!(
                    !for_itself,
                    "accounts = [\"owner\"] needs end_user = \"header\" or \"claim\""
                );
                continue;
            }
            let prefix = account.strip_suffix('*').unwrap_or(account);
            ensure!(
                account == "*" || is_plain(prefix, MAX_ID_BYTES),
                "accounts: {account:?} is no id, and no prefix that ends in one *"
            );
        }
        Ok(())
    }

    /// Reads the bounds of amounts.
    ///
    /// # Errors
    /// The currency or amount that can't be read, or a currency that is there twice.
    pub fn bounds(&self) -> anyhow::Result<Vec<AmountBound>> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for grant in &self.amounts {
            let currency: Currency = grant
                .currency
                .parse()
                .with_context(|| format!("amounts.currency = {:?}", grant.currency))?;
            ensure!(
                seen.insert(currency.code()),
                "amounts: {currency} is there twice"
            );
            let read = |key: &str, text: &Option<String>| match text {
                Some(text) => parse_amount(text, currency)
                    .map(Some)
                    .with_context(|| format!("amounts.{key} = {text:?}")),
                None => Ok(None),
            };
            let (per_call, per_hour) = (
                read("per_call", &grant.per_call)?,
                read("per_hour", &grant.per_hour)?,
            );
            ensure!(
                per_call.is_some() || per_hour.is_some(),
                "amounts: {currency} bounds neither per_call nor per_hour"
            );
            all.push(AmountBound {
                currency,
                per_call,
                per_hour,
            });
        }
        Ok(all)
    }
}

#[cfg(test)]
#[path = "clients_tests.rs"]
mod tests;
