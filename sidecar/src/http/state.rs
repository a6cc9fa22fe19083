//! State of the listener: each handler extracts the handles of its own work.

use crate::audit::AuditHandle;
use crate::fence::FencePublisher;
use crate::health::Health;
use crate::http::answers::refuse;
use crate::leader::guard_db::GuardDb;
use crate::verdicts::cut;
use crate::workflow::operators::{
    MachineTokens, People, RequestActor, TOKEN_SETUP_HINT, has_bearer_token, identify_actor,
};
use crate::workflow::promotion::PromotionContext;
use axum::extract::FromRef;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use sluice_contract::settings::Secret;
use sluice_contract::wire::ApiCode;

/// Width of names.
const MAX_NAME_CHARS: usize = 64;
/// Stands before the name that a holder of `sidecar_token` gives: no person's file can have
/// a name with a slash, so that nobody writes a person's.
const UNPROVEN_PREFIX: &str = "sidecar_token/";

/// A name that nothing proves, as it is written down.
pub(super) fn unproven(name: &str) -> String {
    cut(&format!("{UNPROVEN_PREFIX}{}", name.trim()), MAX_NAME_CHARS)
}

/// Handles of all handlers together.
#[derive(Clone)]
pub struct HttpState {
    pub db: GuardDb,
    pub auth: OperatorAuth,
    pub fence: FencePublisher,
    pub health: Health,
    pub audit: AuditHandle,
    pub promotion: PromotionContext,
}

/// Secrets by which a request's sender is known.
#[derive(Clone)]
pub struct OperatorAuth {
    pub people: People,
    pub sidecar_token: Secret,
    /// Of machines that only look, such as a collector of metrics.
    pub read_token: Option<Secret>,
}

impl OperatorAuth {
    /// Names the sender.
    pub(super) fn identify(&self, headers: &HeaderMap) -> RequestActor {
        let machines = MachineTokens {
            cores: &self.sidecar_token,
            readers: self.read_token.as_ref(),
        };
        identify_actor(&self.people, &machines, headers)
    }

    /// Whether the request carries the token that every core has.
    pub(super) fn has_sidecar_token(&self, headers: &HeaderMap) -> bool {
        has_bearer_token(headers, &self.sidecar_token)
    }

    /// Whether the sender may look at what the sidecar knows.
    pub(super) fn may_read(&self, headers: &HeaderMap) -> bool {
        let read_token = self.read_token.as_ref();
        self.has_sidecar_token(headers)
            || read_token.is_some_and(|token| has_bearer_token(headers, token))
            || self.is_person(headers)
    }

    /// Refuses a request without the token that every core has.
    pub(super) fn require_sidecar_token(&self, headers: &HeaderMap) -> Result<(), Box<Response>> {
        if self.has_sidecar_token(headers) {
            return Ok(());
        }
        Err(Box::new(refuse(
            ApiCode::Unauthorized,
            "send Authorization: Bearer with the sidecar_token",
        )))
    }

    /// Names the person who acts: by their own token; or the holder of `sidecar_token`,
    /// under the name that is given, while there is no folder of people and only for what one
    /// person may do.
    pub(super) fn actor(
        &self,
        headers: &HeaderMap,
        by: Option<&str>,
    ) -> Result<String, Box<Response>> {
        match self.identify(headers) {
            RequestActor::Person(name) => Ok(name),
            RequestActor::Operator => match by.map(str::trim).filter(|by| !by.is_empty()) {
                Some(by) => Ok(unproven(by)),
                None => Err(Box::new(refuse(
                    ApiCode::BadField,
                    format!("by must name you: no person has a token; {TOKEN_SETUP_HINT}"),
                ))),
            },
            RequestActor::Nobody(why) => Err(Box::new(refuse(ApiCode::Unauthorized, why))),
        }
    }

    /// Names the person who acts, by a token of their own; for what takes two people.
    pub(super) fn second_person(&self, headers: &HeaderMap) -> Result<String, Box<Response>> {
        match self.identify(headers) {
            RequestActor::Person(name) => Ok(name),
            RequestActor::Operator => Err(Box::new(refuse(
                ApiCode::RuleRefused,
                format!("this takes two people with tokens of their own: {TOKEN_SETUP_HINT}"),
            ))),
            RequestActor::Nobody(why) => Err(Box::new(refuse(ApiCode::Unauthorized, why))),
        }
    }

    pub(super) fn is_person(&self, headers: &HeaderMap) -> bool {
        // Files are read for whoever shows something: not for a probe of anybody.
        if !headers.contains_key(header::AUTHORIZATION) {
            return false;
        }
        match self.identify(headers) {
            RequestActor::Person(_) => true,
            RequestActor::Operator | RequestActor::Nobody(_) => false,
        }
    }
}

macro_rules! extractable {
    ($($field:ident: $part:ty),+ $(,)?) => {$(
        impl FromRef<HttpState> for $part {
            fn from_ref(state: &HttpState) -> Self {
                state.$field.clone()
            }
        }
    )+};
}

extractable! {
    db: GuardDb,
    auth: OperatorAuth,
    fence: FencePublisher,
    health: Health,
    audit: AuditHandle,
    promotion: PromotionContext,
}
