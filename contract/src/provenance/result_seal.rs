//! Seals of bookings' results at the balance service, by the keys of the orders' seals: who
//! drives a booking believes no row that the core did not write.

use crate::provenance::EffectField::Text;
use crate::provenance::order_seal::{OrderSealKey, OrderSealKeys, SealError, sealed_text};

/// Everything that a result says, and where it says it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealedResult<'a> {
    pub account: &'a str,
    pub posting: &'a str,
    pub order: &'a str,
    /// `booked`, or the reason of the refusal.
    pub outcome: &'a str,
}

impl SealedResult<'_> {
    fn text(&self) -> Vec<u8> {
        let fields = [self.account, self.posting, self.order, self.outcome];
        sealed_text("result", &fields.map(|field| Text(field.as_bytes())))
    }
}

impl OrderSealKey {
    /// Seals what became of a booking.
    pub fn result(&self, result: &SealedResult<'_>) -> String {
        self.seal(&result.text())
    }
}

impl OrderSealKeys {
    /// Checks the seal of what became of a booking.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn check_result(&self, seal: &str, result: &SealedResult<'_>) -> Result<(), SealError> {
        self.check(seal, &result.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::SealedRequest;
    use crate::settings::Secret;

    #[test]
    fn a_result_seal_covers_every_field_and_is_no_other_seal() {
        let secret = Secret::new("key");
        let key = OrderSealKey::derive(&secret);
        let keys = OrderSealKeys::new([&secret]);
        let result = SealedResult {
            account: "A",
            posting: "o-reserve",
            order: "o",
            outcome: "booked",
        };
        let seal = key.result(&result);
        assert_eq!(keys.check_result(&seal, &result), Ok(()));
        let changes: [fn(&mut SealedResult<'static>); 5] = [
            |r| r.account = "B",
            |r| r.posting = "p-reserve",
            |r| r.order = "p",
            |r| r.outcome = "insufficient",
            |r| (r.posting, r.order) = ("o-reserveo", ""),
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut changed = result;
            change(&mut changed);
            let checked = keys.check_result(&seal, &changed);
            assert_eq!(checked, Err(SealError::Mismatch), "{at}");
        }
        let asked = key.request(&SealedRequest::default());
        let checked = keys.check_result(&asked, &SealedResult::default());
        assert_eq!(checked, Err(SealError::Mismatch));
    }
}
