//! HMAC-SHA256 over messages between Sluice and its channels, with a timestamp
//! so that an old message can't be played again for ever.

use crate::settings::Secret;
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub const SIGNATURE_HEADER: &str = "x-sluice-signature";
pub const TIMESTAMP_HEADER: &str = "x-sluice-timestamp";
/// Oldest and newest timestamp accepted, in seconds from now.
pub const MAX_CLOCK_SKEW_S: i64 = 300;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature or timestamp header is missing or malformed")]
    Malformed,
    #[error("the timestamp is more than {MAX_CLOCK_SKEW_S} s away")]
    Stale,
    #[error("the signature does not match")]
    Mismatch,
}

fn mac(secret: &Secret, timestamp_s: i64, body: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length; the library's error can't occur.
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.expose()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC accepts every key length"),
    };
    mac.update(timestamp_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// Hex signature of `body` sent at `timestamp_s` (seconds since 1970 UTC).
pub fn sign(secret: &Secret, timestamp_s: i64, body: &[u8]) -> String {
    hex::encode(mac(secret, timestamp_s, body).finalize().into_bytes())
}

/// Checks both headers against the body, in constant time.
pub fn verify(
    secret: &Secret,
    now_s: i64,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
) -> Result<(), SignatureError> {
    let timestamp: i64 = timestamp
        .and_then(|t| t.parse().ok())
        .ok_or(SignatureError::Malformed)?;
    let signature = signature
        .and_then(|s| hex::decode(s).ok())
        .ok_or(SignatureError::Malformed)?;
    if now_s.saturating_sub(timestamp).saturating_abs() > MAX_CLOCK_SKEW_S {
        return Err(SignatureError::Stale);
    }
    mac(secret, timestamp, body)
        .verify_slice(&signature)
        .map_err(|_| SignatureError::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signed_body_at_its_time_passes() {
        let secret = Secret::new("k");
        let good = sign(&secret, 1_000, b"body");
        let check =
            |now, t: &str, s: &str, body: &[u8]| verify(&secret, now, Some(t), Some(s), body);
        assert_eq!(check(1_010, "1000", &good, b"body"), Ok(()));
        assert_eq!(
            check(1_010, "1000", &good, b"bodY"),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            check(1_010, "1001", &good, b"body"),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            check(1_301, "1000", &good, b"body"),
            Err(SignatureError::Stale)
        );
        assert_eq!(
            check(1_010, "x", &good, b"body"),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            check(1_010, "1000", "zz", b"body"),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            verify(
                &Secret::new("other"),
                1_010,
                Some("1000"),
                Some(&good),
                b"body"
            ),
            Err(SignatureError::Mismatch)
        );
    }
}
