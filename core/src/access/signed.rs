//! API keys: requests that are signed whole. A signature counts for so long as its timestamp
//! is near, and once: see `nonces`.

use crate::access::refusal::AccessRefusal;
use sluice_contract::ids::is_plain;
use sluice_contract::outside_time::TimeUnit;
use sluice_contract::request_signing::REQUEST_SIGNATURE_SCHEME;
use sluice_contract::signing::MAX_CLOCK_SKEW_S;
use std::collections::BTreeMap;

const MIN_NONCE_BYTES: usize = 8;
const MAX_NONCE_BYTES: usize = 64;

/// Fields of the header `Authorization`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignatureHeader<'a> {
    pub client: &'a str,
    pub timestamp_s: i64,
    pub nonce: &'a str,
    pub signature: &'a str,
}

impl<'a> SignatureHeader<'a> {
    /// Reads the value behind the scheme: four fields, each once.
    pub fn parse(value: &'a str) -> Result<Self, AccessRefusal> {
        let fields: Option<BTreeMap<&str, &str>> = value
            .split(',')
            .map(|field| field.trim().split_once('='))
            .collect();
        let fields = fields.filter(|f| f.len() == 4 && value.matches(',').count() == 3);
        let read = || {
            let fields = fields.as_ref()?;
            Some(SignatureHeader {
                client: fields.get("client")?,
                timestamp_s: fields.get("timestamp")?.parse().ok()?,
                nonce: fields.get("nonce").filter(|n| is_nonce(n))?,
                signature: fields.get("signature")?,
            })
        };
        read().ok_or_else(|| {
            AccessRefusal::unknown(&format!(
                "{REQUEST_SIGNATURE_SCHEME} needs client=,timestamp=,nonce=,signature= (nonce: {MIN_NONCE_BYTES} to \
                 {MAX_NONCE_BYTES} letters, digits and _ - . :)"
            ))
        })
    }

    /// Refuses a request of another time.
    pub fn check_time(&self, now_s: i64) -> Result<(), AccessRefusal> {
        if now_s.saturating_sub(self.timestamp_s).saturating_abs() > MAX_CLOCK_SKEW_S {
            let unit = match TimeUnit::of(self.timestamp_s) {
                None | Some(TimeUnit::Seconds) => String::new(),
                Some(other) => format!("; it looks like {}, not seconds", other.as_str()),
            };
            let why = format!("timestamp is more than {MAX_CLOCK_SKEW_S} s from {now_s}{unit}");
            return Err(AccessRefusal::unknown(&why));
        }
        Ok(())
    }
}

fn is_nonce(nonce: &str) -> bool {
    nonce.len() >= MIN_NONCE_BYTES && is_plain(nonce, MAX_NONCE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_its_four_fields_once() {
        let good = "client=a, timestamp=17,nonce=12345678,signature=00";
        let read = SignatureHeader::parse(good).expect("reads");
        assert_eq!(
            (read.client, read.timestamp_s, read.nonce),
            ("a", 17, "12345678")
        );
        for wrong in [
            "",
            "client=a",
            "client=a,timestamp=17,nonce=12345678",
            "client=a,timestamp=17,nonce=1234567,signature=00",
            "client=a,timestamp=x,nonce=12345678,signature=00",
            "client=a,client=b,timestamp=17,nonce=12345678,signature=00",
            "client=a,timestamp=17,nonce=12345678,signature=00,more=1",
        ] {
            assert!(SignatureHeader::parse(wrong).is_err(), "{wrong}");
        }
        let now = 1_795_000_000;
        let proof = SignatureHeader {
            timestamp_s: now,
            ..read
        };
        for (at, counts) in [
            (0, true),
            (MAX_CLOCK_SKEW_S, true),
            (MAX_CLOCK_SKEW_S + 1, false),
        ] {
            assert_eq!(proof.check_time(now + at).is_ok(), counts, "{at}");
            assert_eq!(proof.check_time(now - at).is_ok(), counts, "-{at}");
        }
    }
}
