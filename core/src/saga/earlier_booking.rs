//! Earlier bookings of a posting, as far as they can be believed: the result's row, if the
//! core's seal on it holds, and for money that comes in the ledger too, which nobody can
//! take anything from.

use crate::balance::BookingError;
use crate::cases::CaseKind;
use crate::intents::{BookingIntent, BookingResult, BookingResultRow, StoredResult};
use sluice_contract::provenance::{OrderSealKeys, SealError};

/// A booking's stored result.
#[derive(Debug, Clone)]
pub(super) enum EarlierBooking {
    /// The core's own.
    Sealed(BookingResultRow),
    /// From before there were seals, filled in when the books moved, or forged.
    Unsealed(BookingResultRow),
    /// Not the core's.
    Forged(SealError),
}

/// Reason why nothing is booked: somebody else was at the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResultBreach {
    #[error("the booking's result is not the core's: its seal is missing")]
    SealMissing,
    #[error("the booking's result is not the core's: its seal {0}")]
    Seal(SealError),
    #[error("its entries are in the ledger, but its result was removed or replaced")]
    Removed,
}

impl ResultBreach {
    /// Kind of the case that it opens: a seal by a key that nobody configured accuses no
    /// one yet.
    pub(super) fn case_kind(self) -> CaseKind {
        match self {
            ResultBreach::Seal(SealError::UnknownKey) => CaseKind::UnknownKey,
            ResultBreach::SealMissing
            | ResultBreach::Seal(SealError::Malformed | SealError::Mismatch)
            | ResultBreach::Removed => CaseKind::Altered,
        }
    }
}

/// Decision on an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BookingNeed {
    /// Decided before.
    Answer(BookingResult),
    Book {
        /// The row takes an earlier refusal's place.
        replaces: bool,
    },
    Nothing(ResultBreach),
}

impl EarlierBooking {
    /// Reads a row.
    ///
    /// # Errors
    /// An outcome of a newer build.
    pub(super) fn read(stored: &StoredResult, keys: &OrderSealKeys) -> anyhow::Result<Self> {
        let Some(mac) = &stored.mac else {
            return Ok(stored.read().map_or(
                EarlierBooking::Forged(SealError::Malformed),
                EarlierBooking::Unsealed,
            ));
        };
        match keys.check_result(mac, &stored.sealed()) {
            Ok(()) => Ok(EarlierBooking::Sealed(stored.read()?)),
            Err(error) => Ok(EarlierBooking::Forged(error)),
        }
    }
}

/// Tells whether the ledger has to be asked too. A row that was put back to an earlier state,
/// or taken away, would have money booked again that came in once.
pub(super) fn asks_ledger(earlier: Option<&EarlierBooking>, intent: &BookingIntent) -> bool {
    intent.posting.kind.is_incoming()
        && match earlier {
            Some(EarlierBooking::Sealed(step)) => answer(step, intent).is_none(),
            Some(EarlierBooking::Forged(_)) => false,
            Some(EarlierBooking::Unsealed(_)) | None => true,
        }
}

/// Decides from what is known. `in_ledger`: the posting's entries are there. `may_lack`: the
/// intent is from before there were seals.
pub(super) fn need(
    earlier: Option<&EarlierBooking>,
    intent: &BookingIntent,
    in_ledger: bool,
    may_lack: bool,
) -> BookingNeed {
    let free = |replaces| match in_ledger {
        true => BookingNeed::Nothing(ResultBreach::Removed),
        false => BookingNeed::Book { replaces },
    };
    let (step, is_believed) = match earlier {
        None => return free(false),
        Some(EarlierBooking::Forged(error)) => {
            return BookingNeed::Nothing(ResultBreach::Seal(*error));
        }
        Some(EarlierBooking::Sealed(step)) => (step, true),
        Some(EarlierBooking::Unsealed(step)) => (step, may_lack),
    };
    let is_anothers = step.done == BookingResult::Booked && step.order_id != intent.order_id;
    match answer(step, intent) {
        Some(done) if is_believed => BookingNeed::Answer(done),
        None if is_believed => free(true),
        // The ledger says it too, whoever wrote the row: nothing is booked.
        Some(done) if is_anothers && in_ledger => BookingNeed::Answer(done),
        Some(_) | None => BookingNeed::Nothing(ResultBreach::SealMissing),
    }
}

/// Answers from an earlier booking of the same posting; `None`: this one is made.
fn answer(step: &BookingResultRow, intent: &BookingIntent) -> Option<BookingResult> {
    match step.done {
        done if step.order_id == intent.order_id => Some(done),
        // The same payment under another key: it is booked once, for the other.
        BookingResult::Booked => Some(BookingResult::Refused(BookingError::AlreadyBooked)),
        // A refusal stands for the request that got it. A later one (ids are ordered
        // by time) asks anew; a driver that comes after it has nothing to book.
        refused @ BookingResult::Refused(_) => (step.order_id > intent.order_id).then_some(refused),
    }
}
