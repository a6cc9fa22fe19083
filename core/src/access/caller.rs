//! The caller of one request: a client, and the end user that it acts for.

use crate::access::client::ApiClient;
use crate::access::refusal::AccessRefusal;
use crate::config::Grant;
use rust_decimal::Decimal;
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::money::Currency;
use sluice_contract::wire::ApiCode;
use std::sync::Arc;

/// A caller whose proof has held.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) client: Arc<ApiClient>,
    /// The account of the end user, as the gateway or the token names it.
    pub(super) end_user: Option<Arc<str>>,
    /// The end user, as limits per user count them.
    pub(super) user: Option<Arc<str>>,
    /// The grants that the access token narrows the client's to.
    pub(super) token_grants: Option<Arc<[Grant]>>,
}

impl Caller {
    /// Name of the client.
    pub fn client(&self) -> &str {
        &self.client.name
    }

    /// The account that the end user is bound to, if the client acts for one.
    pub fn end_user(&self) -> Option<&str> {
        self.end_user.as_deref()
    }

    /// Refuses a call that the client isn't granted.
    pub fn require(&self, grant: Grant) -> Result<(), AccessRefusal> {
        let word = grant.as_str();
        if !self.client.may.contains(&grant) {
            let text = format!(
                "{}: this client may not {word} (clients.may)",
                self.client.name
            );
            return Err(AccessRefusal::not_granted(text));
        }
        let in_token = self.token_grants.as_ref();
        if in_token.is_some_and(|granted| !granted.contains(&grant)) {
            let text = format!("scope: the access token does not allow to {word}");
            return Err(AccessRefusal::not_granted(text));
        }
        Ok(())
    }

    /// Tells whether the caller may see and touch the account. Another's object doesn't
    /// exist for it.
    pub fn covers(&self, account: &str) -> bool {
        self.client.accounts.covers(account, self.end_user())
    }

    /// Tells whether the caller made the order, and may still touch its account.
    pub fn owns(&self, client: &str, account: &str) -> bool {
        client == self.client.name && self.covers(account)
    }

    /// Decides whose money a request moves. The end user's account counts: a body may
    /// leave it out or repeat it, and name no other.
    pub fn moving_account(
        &self,
        field: &str,
        named: Option<String>,
    ) -> Result<String, AccessRefusal> {
        let account = match (named, self.end_user()) {
            (None, Some(own)) => own.to_owned(),
            (Some(account), _) => account,
            (None, None) => {
                let text = format!("{field}: is missing");
                return Err(AccessRefusal::new(ApiCode::BadField, text));
            }
        };
        if !is_plain(&account, MAX_ID_BYTES) {
            let text = format!("{field}: 1 to {MAX_ID_BYTES} letters, digits and _ - . :");
            return Err(AccessRefusal::new(ApiCode::BadField, text));
        }
        if self.end_user().is_some_and(|own| own != account) {
            let text = format!("{field}: is not the account of the end user");
            return Err(AccessRefusal::not_granted(text));
        }
        if !self.covers(&account) {
            let text = format!("{field}: this client may not touch the account (clients.accounts)");
            return Err(AccessRefusal::not_granted(text));
        }
        Ok(account)
    }

    /// Decides whom the limits per user count. The end user counts: a body may leave them out
    /// or repeat them, and name nobody else. Of a client that acts for itself, the body's.
    ///
    /// # Errors
    /// The body names somebody else.
    pub fn moving_user(
        &self,
        field: &str,
        named: Option<String>,
    ) -> Result<Option<String>, AccessRefusal> {
        match (named, self.user.as_deref()) {
            (Some(named), Some(own)) if named != own => {
                let text = format!("{field}: is not the end user of this request; leave it out");
                Err(AccessRefusal::not_granted(text))
            }
            (_, Some(own)) => Ok(Some(own.to_owned())),
            (named, None) => Ok(named),
        }
    }

    /// Finds the bound of an hour, in major units. Other currencies than those with bounds
    /// are not granted, if there are any.
    ///
    /// # Errors
    /// The amount is above the bound of a call.
    pub(super) fn hour_limit(
        &self,
        amount: Decimal,
        currency: Currency,
    ) -> Result<Option<Decimal>, AccessRefusal> {
        let bounds = &self.client.amounts;
        if bounds.is_empty() {
            return Ok(None);
        }
        let Some(bound) = bounds.iter().find(|b| b.currency == currency) else {
            let text = format!("currency: this client may not move {currency} (clients.amounts)");
            return Err(AccessRefusal::not_granted(text));
        };
        match bound.per_call {
            Some(most) if amount > most => Err(AccessRefusal::not_granted(format!(
                "amount: this client may move at most {most} {currency} by a call (clients.amounts)"
            ))),
            _ => Ok(bound.per_hour),
        }
    }

    /// Names the scope of this caller's keys: end users of one client don't share them, so
    /// none can use up another's. Empty for a client that speaks for itself.
    pub fn scope(&self) -> String {
        self.end_user().map(ToString::to_string).unwrap_or_default()
    }
}
