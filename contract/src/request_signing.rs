//! Signatures of API requests: HMAC-SHA256 over the whole request, for clients that hold
//! an API key. The time and a nonce make it count once.

use crate::settings::Secret;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Scheme in the header `Authorization`.
pub const REQUEST_SIGNATURE_SCHEME: &str = "Sluice-HMAC-SHA256";

/// Headers that are signed besides the request line and the body: they say whose money
/// moves, and what is a repeat.
pub const SIGNED_HEADERS: [&str; 3] = ["idempotent-key", "idempotency-key", "x-account-id"];

/// Everything of a request that its signature covers.
#[derive(Debug, Clone)]
pub struct SignedRequest<'a> {
    pub client: &'a str,
    /// Seconds since 1970 UTC.
    pub timestamp_s: i64,
    pub nonce: &'a str,
    pub method: &'a str,
    /// Path and query as they are sent.
    pub target: &'a str,
    /// Values of `SIGNED_HEADERS`, in that order: empty if missing, and joined by `,` if
    /// there are several.
    pub headers: [String; 3],
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    /// Writes the text that is signed: ten lines, each with its line feed. No field can hold
    /// one.
    pub fn text(&self) -> String {
        let [key, other_key, account] = &self.headers;
        [
            "sluice-request-v1",
            self.client,
            &self.timestamp_s.to_string(),
            self.nonce,
            self.method,
            self.target,
            &format!("{}:{key}", SIGNED_HEADERS[0]),
            &format!("{}:{other_key}", SIGNED_HEADERS[1]),
            &format!("{}:{account}", SIGNED_HEADERS[2]),
            &hex::encode(Sha256::digest(self.body)),
            "",
        ]
        .join("\n")
    }

    fn mac(&self, secret: &Secret) -> Hmac<Sha256> {
        let mut mac = match Hmac::<Sha256>::new_from_slice(secret.expose()) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC accepts every key length"),
        };
        mac.update(self.text().as_bytes());
        mac
    }

    /// Signs the request, in hex.
    pub fn sign(&self, secret: &Secret) -> String {
        hex::encode(self.mac(secret).finalize().into_bytes())
    }

    /// Tells whether `signature` (hex) was made with `secret` over exactly this, in
    /// constant time.
    pub fn is_signed(&self, secret: &Secret, signature: &str) -> bool {
        hex::decode(signature).is_ok_and(|bytes| self.mac(secret).verify_slice(&bytes).is_ok())
    }

    /// Writes the value of the header `Authorization`.
    pub fn authorization(&self, secret: &Secret) -> String {
        format!(
            "{REQUEST_SIGNATURE_SCHEME} client={},timestamp={},nonce={},signature={}",
            self.client,
            self.timestamp_s,
            self.nonce,
            self.sign(secret)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_signed() {
        let secret = Secret::new("a key of sixteen");
        let whole = SignedRequest {
            client: "shop",
            timestamp_s: 1_795_000_000,
            nonce: "n-000001",
            method: "POST",
            target: "/withdraw?a=b",
            headers: ["k".into(), String::new(), "A-1".into()],
            body: b"{}",
        };
        let signature = whole.sign(&secret);
        assert!(whole.is_signed(&secret, &signature));
        assert!(!whole.is_signed(&Secret::new("another key of 16"), &signature));
        let headers = |k: &str, o: &str, a: &str| [k, o, a].map(str::to_owned);
        let bent = [
            SignedRequest {
                client: "other",
                ..whole.clone()
            },
            SignedRequest {
                timestamp_s: 1_795_000_001,
                ..whole.clone()
            },
            SignedRequest {
                nonce: "n-000002",
                ..whole.clone()
            },
            SignedRequest {
                method: "GET",
                ..whole.clone()
            },
            SignedRequest {
                target: "/withdraw?a=c",
                ..whole.clone()
            },
            SignedRequest {
                headers: headers("l", "", "A-1"),
                ..whole.clone()
            },
            SignedRequest {
                headers: headers("", "k", "A-1"),
                ..whole.clone()
            },
            SignedRequest {
                headers: headers("k", "", "A-2"),
                ..whole.clone()
            },
            SignedRequest {
                body: b"{ }",
                ..whole.clone()
            },
        ];
        for request in bent {
            assert!(!request.is_signed(&secret, &signature), "{request:?}");
        }
        for wrong in ["", "00", "zz", &signature[2..]] {
            assert!(!whole.is_signed(&secret, wrong), "{wrong}");
        }
    }

    /// Made by another program: `openssl dgst -sha256 -hmac` over the ten lines.
    #[test]
    fn signatures_are_what_other_programs_make() {
        let request = SignedRequest {
            client: "shop",
            timestamp_s: 1_795_000_000,
            nonce: "n-000001",
            method: "POST",
            target: "/withdraw?a=b",
            headers: ["k".into(), String::new(), "A-1".into()],
            body: b"{\"amount\":\"1.00\"}",
        };
        let signature = "a161b0d6936f357a8afb3d1fa6cae439f33e8d12bfef65b5bbd878f88a58bfca";
        assert_eq!(request.sign(&Secret::new("a key of sixteen")), signature);
    }
}
