//! Operators: who acts. Each person has a token of their own, the file `people/NAME` among the
//! secrets; it is looked at again and again, so that one who left is out within a second.

mod people;
mod token_files;

pub use people::People;

use axum::http::{HeaderMap, header};
use sluice_contract::settings::Secret;

/// Advice for messages: what to set up.
pub const TOKEN_SETUP_HINT: &str = "give each person a token: a file secrets_dir/people/NAME of 32 or more characters \
                          (openssl rand -hex 32), readable by the sidecar alone";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestActor {
    Person(String),
    /// The holder of `sidecar_token`, while there is no folder of people.
    Operator,
    /// The reason why the request can't be told from anybody's.
    Nobody(String),
}

/// Tokens of machines, which no person may have.
#[derive(Debug, Clone, Copy)]
pub struct MachineTokens<'a> {
    /// The `sidecar_token`, of every core.
    pub cores: &'a Secret,
    /// The `sidecar_read_token`, if there is one.
    pub readers: Option<&'a Secret>,
}

/// Finds whose token the request carries. Every token is compared, so that the time taken
/// tells nothing about which one was close.
pub fn identify_actor(
    people: &People,
    machines: &MachineTokens<'_>,
    headers: &HeaderMap,
) -> RequestActor {
    let known = people.known();
    let (people, has_folder) = match known.as_ref() {
        Ok(Some(people)) => (people.as_slice(), true),
        Ok(None) => (&[][..], false),
        Err(error) => {
            return RequestActor::Nobody(format!("the people's tokens can't be read: {error}"));
        }
    };
    let is_theirs = |token: &Option<Secret>| {
        token
            .as_ref()
            .is_some_and(|token| has_bearer_token(headers, token))
    };
    let mut owners = people
        .iter()
        .filter(|(_, token)| is_theirs(token))
        .map(|(name, _)| name);
    let (first, second) = (owners.next(), owners.next());
    let is_machines = has_bearer_token(headers, machines.cores)
        | machines
            .readers
            .is_some_and(|token| has_bearer_token(headers, token));
    match (first, second) {
        // Refused when the sidecar starts; a file may be written later.
        (Some(name), _) if is_machines => RequestActor::Nobody(format!(
            "{name} has the same token as a machine: make one for each"
        )),
        (Some(name), None) => RequestActor::Person(name.clone()),
        // One token would be two people.
        (Some(a), Some(b)) => RequestActor::Nobody(format!(
            "{a} and {b} have the same token: make one for each"
        )),
        _ if !has_bearer_token(headers, machines.cores) => {
            RequestActor::Nobody("send Authorization: Bearer with your own token".to_owned())
        }
        // An empty folder, or one of files that nobody can show, gives nobody more rights.
        _ if !has_folder => RequestActor::Operator,
        _ => RequestActor::Nobody(
            "sidecar_token is no person's: use the token of your own file in people/".to_owned(),
        ),
    }
}

/// Checks whether `Authorization: Bearer …` carries the sidecar's token, in constant time.
pub fn has_bearer_token(headers: &axum::http::HeaderMap, token: &Secret) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| token.matches(given))
}

#[cfg(test)]
mod tests;
