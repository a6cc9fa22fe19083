//! Files of tokens, one for each person.

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

/// A person's name, and the token if it can be read.
pub(super) type NamedToken = (String, Option<Secret>);

/// Reads the tokens of the folder `people`; None if there is no folder.
///
/// # Errors
/// The folder can't be listed.
pub(super) fn read(dir: &Path) -> std::io::Result<Option<Vec<NamedToken>>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
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
    Ok(Some(people))
}
