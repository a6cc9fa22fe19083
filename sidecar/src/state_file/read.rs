//! Reading of the file: all of it or nothing.

use crate::rules::frozen::state_frames::StateSections;
use crate::state_file::header::StateHeader;
use crate::state_file::{MAC_BYTES, MAGIC, keyed, path_in};
use hmac::Mac;
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;
use sluice_contract::signing::key_id;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file whose every byte is as it was written.
#[derive(Debug, Clone)]
pub struct WrittenState {
    pub header: StateHeader,
    pub sections: StateSections,
}

/// Reads the file of a folder, of at most `max_bytes`.
///
/// # Errors
/// In words: it is absent, too large, damaged, or made with a key that is not in force.
pub fn read(dir: &Path, keys: &SigningKeys, max_bytes: u64) -> Result<WrittenState, String> {
    let path = path_in(dir);
    let length = match std::fs::metadata(&path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err("there is none".to_owned());
        }
        Err(error) => return Err(format!("it can't be read: {error}")),
    };
    if length > max_bytes {
        return Err(format!(
            "its {length} bytes are more than the {max_bytes} that state.memory_mb allows"
        ));
    }
    let bytes = std::fs::read(&path).map_err(|error| format!("it can't be read: {error}"))?;
    parse(bytes, keys)
}

/// Puts the file of a folder aside: whoever leads does without it, and what comes must not be
/// taken for what it was written of.
pub fn shelve(dir: &Path) {
    let moved = std::fs::rename(path_in(dir), dir.join("state.refused"));
    if let Err(error) = moved
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the refused state can't be shelved");
    }
}

/// Checks and cuts the bytes of a file.
pub(super) fn parse(bytes: Vec<u8>, keys: &SigningKeys) -> Result<WrittenState, String> {
    let damaged = || "it is damaged, or no state of this version".to_owned();
    let end = bytes.len().checked_sub(MAC_BYTES).ok_or_else(damaged)?;
    let begin = MAGIC.len();
    let length = bytes.get(begin..begin + 4).and_then(|b| b.try_into().ok());
    let length = length.map(u32::from_le_bytes).ok_or_else(damaged)?;
    let frames = usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_add(begin + 4))
        .filter(|frames| bytes.starts_with(&MAGIC) && *frames <= end)
        .ok_or_else(damaged)?;
    let header = StateHeader::decode(&bytes[begin + 4..frames]).ok_or_else(damaged)?;
    let named = keys.all().find(|key| key_id(key) == header.key_id);
    let Some(key) = named else {
        return Err("its key is none of provenance_key".to_owned());
    };
    if !is_whole(key, &bytes, end) {
        return Err("its MAC does not fit: it is damaged or forged".to_owned());
    }
    let sections = StateSections::cut(Arc::new(bytes), frames, end).ok_or_else(damaged)?;
    Ok(WrittenState { header, sections })
}

/// Whether the MAC at the end fits, compared in constant time.
fn is_whole(key: &Secret, bytes: &[u8], end: usize) -> bool {
    let mut mac = keyed(key);
    mac.update(&bytes[..end]);
    mac.verify_slice(&bytes[end..]).is_ok()
}
