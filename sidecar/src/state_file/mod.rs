//! The file in which the memory of armed rules outlives the process, with the positions that
//! it belongs to.
//!
//! `magic · header · frames · MAC`: the header and each frame with their length (four bytes,
//! little-endian). The MAC is over everything before it, with a key that both programs have
//! anyway; it finds a flipped bit as well as a stranger's file.
//!
//! The file is a function of the streams and the rules, not of the host: any sidecar over
//! the same streams may go on from it.

mod choice;
mod header;
mod read;
pub mod settings;
mod write;

pub use crate::state_file::choice::{CommittedPositions, refusal};
pub use crate::state_file::header::StatePositions;
pub use crate::state_file::read::{WrittenState, read, shelve};
pub use crate::state_file::write::{StateToWrite, StateWriter, WriteTurn, write as write_file};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use sluice_contract::settings::Secret;
use std::path::{Path, PathBuf};

/// Begins every file; the last byte is the version of what follows.
const MAGIC: [u8; 8] = *b"SLUICES\x01";
/// Bytes of the MAC.
const MAC_BYTES: usize = 32;

/// The file in a folder.
pub fn path_in(dir: &Path) -> PathBuf {
    dir.join("state")
}

/// The MAC of a file, under a purpose of its own.
fn keyed(secret: &Secret) -> Hmac<Sha256> {
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.expose()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC accepts every key length"),
    };
    mac.update(b"sluice sidecar state");
    mac
}

#[cfg(test)]
mod tests;
