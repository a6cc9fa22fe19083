//! Names of a request, as `orders::names` makes them.

use crate::accept::{BookingRequest, IdempotentRequest, WithdrawalBooking};
use crate::orders::names::{RequestName, names_of, scoped};
use sha2::{Digest, Sha256};

/// Length of an identity in hex digits: 128 bits.
const IDENTITY_LEN: usize = 32;

impl IdempotentRequest {
    /// The key as it is stored: unique within the client.
    pub fn stored_key(&self) -> String {
        scoped(&self.scope, self.key.clone())
    }

    /// All names as they are stored, the caller's own key first; none twice.
    pub fn names(&self) -> Vec<(RequestName, String)> {
        let mut all = vec![(RequestName::Key, self.stored_key())];
        if let BookingRequest::Withdraw(w) = &self.booking {
            for (name, text) in of_booking(w) {
                let stored = scoped(&self.scope, text);
                if all.iter().all(|(_, other)| *other != stored) {
                    all.push((name, stored));
                }
            }
        }
        all
    }

    /// Hash of the strongest name that the request has: what makes its order one even if
    /// rows of `idempotency` are gone.
    pub fn identity(&self) -> String {
        let strongest = match &self.booking {
            BookingRequest::Withdraw(w) => of_booking(w).into_iter().next(),
            BookingRequest::Deposit(_) | BookingRequest::Capture(_) => None,
        };
        let text = strongest.map_or_else(|| self.key.clone(), |(_, text)| text);
        let mut hash = hex::encode(Sha256::digest(format!(
            "{}\n{}\n{text}",
            self.client, self.scope
        )));
        hash.truncate(IDENTITY_LEN);
        hash
    }
}

/// Names besides the key, the strongest first.
fn of_booking(w: &WithdrawalBooking) -> Vec<(RequestName, String)> {
    names_of(
        w.kind,
        w.predecessor_id.as_deref(),
        w.biz_no.as_deref(),
        &w.transaction_id,
    )
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
