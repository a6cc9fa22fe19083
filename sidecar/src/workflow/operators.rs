//! Who acts. Each person has a token of their own, the file `people/NAME` among the
//! secrets; it is read at every request, so that one who left is out at once.

use axum::http::{HeaderMap, header};
use sluice_contract::settings::Secret;
use std::path::Path;

/// Shorter tokens could be guessed.
const MIN_TOKEN_BYTES: usize = 32;
/// More people than ever share a pager.
const MAX_PEOPLE: usize = 200;
/// Files that are looked at in a request.
const MAX_FILES: usize = 1_000;
/// Longest name, as it is stored.
const MAX_NAME_BYTES: usize = 64;

/// What to set up, for messages.
pub const TOKEN_SETUP_HINT: &str = "give each person a token: a file secrets_dir/people/NAME of 32 or more characters \
                          (openssl rand -hex 32), readable by the sidecar alone";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestActor {
    Person(String),
    /// The holder of `sidecar_token`, while no person has a token.
    Operator,
    /// Why the request can't be told from anybody's.
    Nobody(String),
}

/// Whose token the request carries. Every token is compared, so that the time taken
/// tells nothing about which one was close.
pub fn identify_actor(
    secrets_dir: Option<&Path>,
    sidecar_token: &Secret,
    headers: &HeaderMap,
) -> RequestActor {
    let people = match secrets_dir.map(|dir| read(&dir.join("people"))).transpose() {
        Ok(people) => people.unwrap_or_default(),
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
    match (first, second) {
        (Some(name), None) => RequestActor::Person(name.clone()),
        // One token would be two people.
        (Some(a), Some(b)) => RequestActor::Nobody(format!(
            "{a} and {b} have the same token: make one for each"
        )),
        _ if !has_bearer_token(headers, sidecar_token) => {
            RequestActor::Nobody("send Authorization: Bearer with your own token".to_owned())
        }
        _ if people.is_empty() => RequestActor::Operator,
        _ => RequestActor::Nobody(
            "sidecar_token is no person's: use the token of your own file in people/".to_owned(),
        ),
    }
}

fn read(dir: &Path) -> std::io::Result<Vec<(String, Option<Secret>)>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut people = Vec::new();
    let mut paths = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths.into_iter().take(MAX_FILES) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !path.is_file()
            || !sluice_contract::ids::is_plain(&name, MAX_NAME_BYTES)
            || name.starts_with('.')
        {
            continue;
        }
        // One file of a wrong mode must not lock out everybody; it is a person all the
        // same, whose token nobody can show.
        let Ok(token) = std::fs::read_to_string(&path) else {
            tracing::warn!(
                person = name,
                "this token can't be read as text: check the file's owner and mode"
            );
            people.push((name, None));
            continue;
        };
        if token.trim().len() < MIN_TOKEN_BYTES {
            tracing::warn!(
                person = name,
                "this token is shorter than {MIN_TOKEN_BYTES} characters and is not taken"
            );
            continue;
        }
        people.push((name, Some(Secret::new(token.trim()))));
    }
    if people.len() > MAX_PEOPLE {
        people.truncate(MAX_PEOPLE);
        tracing::warn!("more than {MAX_PEOPLE} people have tokens: the others are not known");
    }
    Ok(people)
}

/// Whether `Authorization: Bearer …` carries the sidecar's token, in constant time.
pub fn has_bearer_token(headers: &axum::http::HeaderMap, token: &Secret) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| token.matches(given))
}

#[cfg(test)]
#[path = "operators_tests.rs"]
mod tests;
