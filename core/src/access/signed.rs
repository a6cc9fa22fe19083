//! API keys: requests that are signed whole. A signature counts once: its nonce is
//! remembered for as long as its timestamp would do.

use crate::access::refusal::AccessRefusal;
use sha2::{Digest, Sha256};
use sluice_contract::ids::is_plain;
use sluice_contract::request_signing::REQUEST_SIGNATURE_SCHEME;
use sluice_contract::signing::MAX_CLOCK_SKEW_S;
use sluice_contract::wire::ApiCode;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Nonces that are remembered of one client (about 30 MB): 800 requests a second.
const MAX_NONCES: usize = 500_000;
const MIN_NONCE_BYTES: usize = 8;
const MAX_NONCE_BYTES: usize = 64;
/// Seconds whose nonces are forgotten together.
const NONCE_SPAN_S: i64 = 60;

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
            let why = format!("timestamp is more than {MAX_CLOCK_SKEW_S} s from {now_s}");
            return Err(AccessRefusal::unknown(&why));
        }
        Ok(())
    }
}

fn is_nonce(nonce: &str) -> bool {
    nonce.len() >= MIN_NONCE_BYTES && is_plain(nonce, MAX_NONCE_BYTES)
}

/// Nonces of one client, by the span of their timestamps.
#[derive(Debug, Default)]
pub(super) struct NonceMemory {
    spans: Mutex<BTreeMap<i64, HashSet<[u8; 16]>>>,
}

impl NonceMemory {
    /// Remembers a nonce whose signature has held.
    ///
    /// # Errors
    /// Seen before, or there is no room: forgetting one early would let it in again.
    pub fn remember(&self, header: &SignatureHeader<'_>, now_s: i64) -> Result<(), AccessRefusal> {
        let mut short = [0; 16];
        short.copy_from_slice(&Sha256::digest(header.nonce)[..16]);
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (now_s - MAX_CLOCK_SKEW_S).div_euclid(NONCE_SPAN_S);
        while spans
            .first_key_value()
            .is_some_and(|(span, _)| *span < oldest)
        {
            spans.pop_first();
        }
        let span = header.timestamp_s.div_euclid(NONCE_SPAN_S);
        if spans.get(&span).is_some_and(|seen| seen.contains(&short)) {
            return Err(AccessRefusal::unknown("this nonce was used before"));
        }
        if spans.values().map(HashSet::len).sum::<usize>() >= MAX_NONCES {
            let text = "Authorization: too many signed requests at a time; try again later";
            return Err(AccessRefusal::new(ApiCode::TooOften, text));
        }
        spans.entry(span).or_default().insert(short);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(timestamp_s: i64, nonce: &str) -> SignatureHeader<'_> {
        SignatureHeader {
            client: "a",
            timestamp_s,
            nonce,
            signature: "",
        }
    }

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
    }

    #[test]
    fn a_nonce_counts_once_for_as_long_as_its_time_does() {
        let (memory, now) = (NonceMemory::default(), 1_795_000_000);
        assert!(memory.remember(&header(now, "nonce-01"), now).is_ok());
        assert!(memory.remember(&header(now, "nonce-02"), now).is_ok());
        let last = now + MAX_CLOCK_SKEW_S;
        assert!(header(now, "nonce-01").check_time(last).is_ok());
        assert!(memory.remember(&header(now, "nonce-01"), last).is_err());
        assert!(header(now, "nonce-01").check_time(last + 1).is_err());
        let after = last + NONCE_SPAN_S;
        assert!(memory.remember(&header(after, "nonce-03"), after).is_ok());
        let left = memory.spans.lock().expect("no panic").len();
        assert_eq!(left, 1, "what can't count any more is forgotten");
    }
}
