//! Booking intents: rows that say what balance and ledger must still book for an order
//! whose books are on other servers.

pub mod repo;
mod result_repo;

use crate::balance::BookingError;
use crate::ledger::{Posting, PostingKind};
use sluice_contract::keys::SigningKeys;
use sluice_contract::money::column_units;
use sluice_contract::order::OrderKind;
use sluice_contract::provenance::{EffectField, SealedResult, TransactionEffects};
use sluice_contract::settings::Secret;

/// A booking that is decided and not yet known to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingIntent {
    /// The posting; its id is the intent's.
    pub posting: Posting,
    /// The order's id; for money that comes in, the booking's own.
    pub order_id: String,
    pub kind: OrderKind,
    /// The captured payment that is made, taken from, or given back to.
    pub payment_no: Option<String>,
    /// The payer of that payment, or the payee of its refund.
    pub counterparty: Option<String>,
    /// Whether a refund may be paid although nobody said who had paid.
    pub unknown_payer_ok: bool,
    /// The client that asked for it.
    pub client: String,
    /// The key that a refusal frees; empty once the order is accepted.
    pub key: String,
    pub created_us: i64,
    /// Words of the request that asked for it, for the event that tells of money that came
    /// in; neither is signed, nothing is decided by them.
    pub correlation_id: Option<String>,
    pub traceparent: Option<String>,
}

impl BookingIntent {
    /// Tells whether the balance may refuse it: nothing was promised before.
    pub fn is_refusable(&self) -> bool {
        match self.posting.kind {
            PostingKind::Reserve | PostingKind::Deposit | PostingKind::Capture => true,
            PostingKind::Finalize | PostingKind::Release | PostingKind::Return => false,
        }
    }

    /// Ranks the bookings of one order: a later one never overtakes an earlier one.
    pub(crate) fn rank(&self) -> u8 {
        match self.posting.kind {
            PostingKind::Reserve | PostingKind::Deposit | PostingKind::Capture => 0,
            PostingKind::Finalize | PostingKind::Release => 1,
            PostingKind::Return => 2,
        }
    }

    /// The counterparty as its column holds it: a question mark before it says that it need
    /// not be who paid, if nobody knows who did.
    pub(crate) fn stored_counterparty(&self) -> Option<String> {
        let name = self.counterparty.as_deref()?;
        let mark = if self.unknown_payer_ok { "?" } else { "" };
        Some(format!("{mark}{name}"))
    }

    pub(crate) fn id(&self) -> (&str, &str) {
        (&self.posting.account_id, &self.posting.posting_id)
    }

    /// Signs all that is booked, in hex: a row that somebody else wrote into
    /// the table is never booked.
    ///
    /// # Errors
    /// An amount with more decimals than its column.
    pub fn proof(&self, key: &Secret) -> anyhow::Result<String> {
        Ok(self.proven()?.sign(key, &self.posting.posting_id, ""))
    }

    /// Tells whether one of `keys` has made the proof; constant time.
    ///
    /// # Errors
    /// As `proof`.
    pub fn is_proven(&self, keys: &SigningKeys, proof: &str) -> anyhow::Result<bool> {
        let (effects, id) = (self.proven()?, self.posting.posting_id.as_bytes());
        Ok(keys.any(|key| effects.verify(key, id, b"", proof.as_bytes())))
    }

    fn proven(&self) -> anyhow::Result<TransactionEffects> {
        let p = &self.posting;
        let text = |t: &'static str| EffectField::Text(t.as_bytes());
        let units = column_units(p.amount)
            .ok_or_else(|| anyhow::anyhow!("{} does not fit its column", p.amount))?;
        let counterparty = self.stored_counterparty();
        let mut effects = TransactionEffects::new();
        effects.add(
            "s",
            &[
                EffectField::Text(p.account_id.as_bytes()),
                EffectField::Text(self.order_id.as_bytes()),
                text(p.kind.as_str()),
                text(self.kind.as_str()),
                EffectField::Text(p.debit_book.as_bytes()),
                EffectField::Text(p.credit_book.as_bytes()),
                EffectField::Int(units),
                text(p.currency.code()),
                EffectField::Text(p.reference.as_bytes()),
                EffectField::Text(self.payment_no.as_deref().unwrap_or_default().as_bytes()),
                EffectField::Text(self.client.as_bytes()),
                EffectField::Text(self.key.as_bytes()),
            ],
        );
        // One without is signed as ever: older ones are still open.
        if let Some(counterparty) = &counterparty {
            effects.add("p", &[EffectField::Text(counterparty.as_bytes())]);
        }
        Ok(effects)
    }
}

/// Result of a booking at the balance service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookingResult {
    Booked,
    Refused(BookingError),
}

impl BookingResult {
    /// Names the result as its row holds it.
    pub fn as_str(self) -> &'static str {
        match self {
            BookingResult::Booked => "booked",
            BookingResult::Refused(error) => error.as_str(),
        }
    }

    pub fn from_stored(text: &str) -> anyhow::Result<Self> {
        Ok(if text == "booked" {
            BookingResult::Booked
        } else {
            BookingResult::Refused(text.parse()?)
        })
    }
}

/// One booking's result, kept with the balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingResultRow {
    pub account_id: String,
    pub posting_id: String,
    pub order_id: String,
    pub done: BookingResult,
}

impl BookingResultRow {
    /// Names everything that the core's seal covers.
    pub(crate) fn sealed(&self) -> SealedResult<'_> {
        SealedResult {
            account: &self.account_id,
            posting: &self.posting_id,
            order: &self.order_id,
            outcome: self.done.as_str(),
        }
    }
}

/// A result as its row has it, whoever wrote that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    pub account_id: String,
    pub posting_id: String,
    pub order_id: String,
    pub outcome: String,
    /// NULL: from before there were seals, or not the core's.
    pub mac: Option<String>,
}

impl StoredResult {
    /// Names everything that the core's seal covers.
    pub(crate) fn sealed(&self) -> SealedResult<'_> {
        SealedResult {
            account: &self.account_id,
            posting: &self.posting_id,
            order: &self.order_id,
            outcome: &self.outcome,
        }
    }

    /// Reads what it says.
    ///
    /// # Errors
    /// An outcome that this build does not know.
    pub(crate) fn read(&self) -> anyhow::Result<BookingResultRow> {
        Ok(BookingResultRow {
            account_id: self.account_id.clone(),
            posting_id: self.posting_id.clone(),
            order_id: self.order_id.clone(),
            done: BookingResult::from_stored(&self.outcome)?,
        })
    }
}
