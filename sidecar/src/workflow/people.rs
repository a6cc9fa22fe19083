//! Who acts. Each person has a token of their own, the file `people/NAME` among the
//! secrets; it is read at every request, so that one who left is out at once.

use crate::fence::authorized;
use axum::http::HeaderMap;
use sluice_contract::settings::Secret;
use std::path::Path;

/// Shorter tokens could be guessed.
const FEWEST_BYTES: usize = 32;
/// More people than ever share a pager.
const MOST_PEOPLE: usize = 200;
/// Files that are looked at in a request.
const MOST_FILES: usize = 1_000;
/// Longest name, as it is stored.
const NAME: usize = 64;

/// What to set up, for messages.
pub const SET_UP: &str = "give each person a token: a file secrets_dir/people/NAME of 32 or more characters \
                          (openssl rand -hex 32), readable by the sidecar alone";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Person(String),
    /// The holder of `sidecar_token`, while no person has a token.
    Operator,
    /// Why the request can't be told from anybody's.
    Nobody(String),
}

/// Whose token the request carries. Every token is compared, so that the time taken
/// tells nothing about which one was close.
pub fn who(secrets_dir: Option<&Path>, sidecar_token: &Secret, headers: &HeaderMap) -> Who {
    let people = match secrets_dir.map(|dir| read(&dir.join("people"))).transpose() {
        Ok(people) => people.unwrap_or_default(),
        Err(error) => return Who::Nobody(format!("the people's tokens can't be read: {error}")),
    };
    let is_theirs = |token: &Option<Secret>| {
        token
            .as_ref()
            .is_some_and(|token| authorized(headers, token))
    };
    let mut owners = people
        .iter()
        .filter(|(_, token)| is_theirs(token))
        .map(|(name, _)| name);
    let (first, second) = (owners.next(), owners.next());
    match (first, second) {
        (Some(name), None) => Who::Person(name.clone()),
        // One token would be two people.
        (Some(a), Some(b)) => Who::Nobody(format!(
            "{a} and {b} have the same token: make one for each"
        )),
        _ if !authorized(headers, sidecar_token) => {
            Who::Nobody("send Authorization: Bearer with your own token".to_owned())
        }
        _ if people.is_empty() => Who::Operator,
        _ => Who::Nobody(
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
    for path in paths.into_iter().take(MOST_FILES) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !path.is_file() || !sluice_contract::ids::is_plain(&name, NAME) || name.starts_with('.')
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
        if token.trim().len() < FEWEST_BYTES {
            tracing::warn!(
                person = name,
                "this token is shorter than {FEWEST_BYTES} characters and is not taken"
            );
            continue;
        }
        people.push((name, Some(Secret::new(token.trim()))));
    }
    if people.len() > MOST_PEOPLE {
        people.truncate(MOST_PEOPLE);
        tracing::warn!("more than {MOST_PEOPLE} people have tokens: the others are not known");
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        headers
    }

    #[test]
    fn a_token_names_one_person() {
        let dir = std::env::temp_dir().join(format!("sluice-people-{}", std::process::id()));
        let people = dir.join("people");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let own = Secret::new(&"s".repeat(32));
        let ask = |token: &str| who(Some(&dir), &own, &bearer(token));
        assert_eq!(ask(&"s".repeat(32)), Who::Operator);
        assert!(matches!(ask("x"), Who::Nobody(_)));
        std::fs::create_dir_all(&people).unwrap();
        for (name, token) in [
            ("ann", "a".repeat(32)),
            ("short", "b".repeat(31)),
            ("c c", "c".repeat(32)),
        ] {
            std::fs::write(people.join(name), token).unwrap();
        }
        assert_eq!(ask(&"a".repeat(32)), Who::Person("ann".to_owned()));
        for token in ["b".repeat(31), "c".repeat(32), "s".repeat(32)] {
            assert!(matches!(ask(&token), Who::Nobody(_)), "{token}");
        }
        std::fs::write(people.join("bob"), "a".repeat(32)).unwrap();
        let Who::Nobody(why) = ask(&"a".repeat(32)) else {
            panic!("one token was two people")
        };
        assert!(why.contains("ann") && why.contains("bob"), "{why}");
        std::fs::remove_file(people.join("ann")).unwrap();
        std::fs::write(people.join("dora"), [0xff, 0xfe]).unwrap();
        assert_eq!(ask(&"a".repeat(32)), Who::Person("bob".to_owned()));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
