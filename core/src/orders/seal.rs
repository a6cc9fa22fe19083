//! Seals of an order's row: made with every write of it, checked under the lock of whoever
//! acts on it. What was asked is what is paid, a sending repeats the first one's serial
//! number, trade time and channel, and what has ended or is not booked is not sent, whoever
//! can write to the table.

use crate::cases::{CaseKind, OrderCase, detail};
use crate::orders::SignedSince;
use crate::orders::repo::StoredAttempt;
use crate::orders::unsealed_repo::UnsealedOrders;
use crate::orders::{Order, OrderRef};
use anyhow::{Context, ensure};
use sluice_contract::keys::SigningKeys;
use sluice_contract::money::column_units;
use sluice_contract::order::OrderState;
use sluice_contract::provenance::{
    EffectField, OrderSealKey, OrderSealKeys, SealError, SealedRequest, SealedSending,
    TransactionSigner, is_guard_row,
};
use sluice_contract::settings::Secret;

/// Seals of one row that is about to be written.
#[derive(Debug, Default)]
pub(super) struct RowSeals {
    pub(super) request: Option<String>,
    pub(super) sending: Option<String>,
}

impl RowSeals {
    /// Seals what is asked, when the order is accepted, and that it was never sent: a row
    /// without a seal is never one that the core wrote.
    ///
    /// # Errors
    /// An amount with more decimals than its column.
    pub(super) fn of_new(order: &Order, key: &OrderSealKey) -> anyhow::Result<Self> {
        let request = order.sealed_request().with_context(|| {
            format!(
                "order {}: {} does not fit its column",
                order.order_id, order.amount
            )
        })?;
        Ok(RowSeals {
            request: Some(key.request(&request)),
            sending: Some(key.sending(&order.sealed_sending(SealedPhase::of(order)))),
        })
    }

    /// Seals how it is sent, and how far it is now.
    pub(super) fn of_moved(order: &Order, key: &OrderSealKey) -> Self {
        RowSeals {
            request: None,
            sending: Some(key.sending(&order.sealed_sending(SealedPhase::of(order)))),
        }
    }
}

/// Phase of an order, as its seal says: the state alone could be set back by anybody who can
/// write to the table. The states within a phase are the channels' word, which is asked
/// for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SealedPhase {
    /// Money not reserved yet.
    Booking,
    /// Free to be sent, or out.
    Open,
    /// Money gone, or given back.
    Ended,
}

impl SealedPhase {
    const ALL: [SealedPhase; 3] = [SealedPhase::Booking, SealedPhase::Open, SealedPhase::Ended];

    fn of(order: &Order) -> Self {
        match order.state {
            OrderState::Booking => SealedPhase::Booking,
            OrderState::Init
            | OrderState::Dispatching
            | OrderState::Processing
            | OrderState::InDoubt
            | OrderState::Manual => SealedPhase::Open,
            OrderState::Success | OrderState::Failed | OrderState::Returned => SealedPhase::Ended,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            SealedPhase::Booking => "booking",
            SealedPhase::Open => "open",
            SealedPhase::Ended => "ended",
        }
    }

    /// The breach of a row whose seal says this while its state says otherwise.
    fn breach(self) -> SealBreach {
        match self {
            SealedPhase::Booking => SealBreach::NotBooked,
            SealedPhase::Open => SealBreach::NotEnded,
            SealedPhase::Ended => SealBreach::EndedBefore,
        }
    }
}

/// A row that the core did not write like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealBreach {
    #[error("the seal over what was asked is missing")]
    RequestMissing,
    #[error("the seal over what was asked {0}")]
    Request(SealError),
    #[error("the seal over how it was sent is missing")]
    SendingMissing,
    #[error("the seal over how it was sent {0}")]
    Sending(SealError),
    #[error("its attempts are not those that its seal counts")]
    Attempts,
    #[error("sent before its money was reserved")]
    SentBeforeBooked,
    #[error("it ended before, and is set back")]
    EndedBefore,
    #[error("it has not ended, and is set to an end or back to its booking")]
    NotEnded,
    #[error("its money was not reserved, and its state says that it was")]
    NotBooked,
    #[error("it waits to be sent again, and its attempt has ended")]
    EndedAttempt,
    #[error("the amount does not fit its column")]
    Amount,
}

impl SealBreach {
    /// Kind of the case that it opens: a seal by a key that nobody configured accuses no
    /// one yet.
    pub fn case_kind(self) -> CaseKind {
        match self {
            SealBreach::Request(SealError::UnknownKey)
            | SealBreach::Sending(SealError::UnknownKey) => CaseKind::UnknownKey,
            SealBreach::RequestMissing
            | SealBreach::Request(SealError::Malformed | SealError::Mismatch)
            | SealBreach::SendingMissing
            | SealBreach::Sending(SealError::Malformed | SealError::Mismatch)
            | SealBreach::Attempts
            | SealBreach::EndedBefore
            | SealBreach::NotEnded
            | SealBreach::NotBooked
            | SealBreach::EndedAttempt
            | SealBreach::SentBeforeBooked
            | SealBreach::Amount => CaseKind::Altered,
        }
    }
}

/// An order with a seal that does not hold: nothing is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlteredOrder {
    pub at: OrderRef,
    pub breach: SealBreach,
}

impl AlteredOrder {
    /// Makes the order's case, and logs it.
    pub fn to_case(&self) -> OrderCase {
        let AlteredOrder { at, breach } = self;
        tracing::error!(order = %at.order_id, account = %at.account_id, "altered: {breach}");
        OrderCase {
            account_id: at.account_id.clone(),
            order_id: at.order_id.clone(),
            kind: breach.case_kind(),
            detail: detail(&breach.to_string()),
        }
    }
}

/// Checker of seals, with the key that signs what is written.
#[derive(Debug, Clone)]
pub struct OrderSeals {
    /// Sign and verify what is not an order.
    keys: SigningKeys,
    signer: TransactionSigner,
    order_keys: OrderSealKeys,
    /// The keys by which limit totals and routing may be signed: nobody signs a row anew that
    /// nothing changes.
    row_keys: Vec<SigningKeys>,
    /// Orders that were made before this, in ms since 1970 UTC, may have no seals: 0 for
    /// none.
    unsealed_until_ms: i64,
    signed_since: SignedSince,
}

impl OrderSeals {
    /// Makes a checker of seals made with one of the provenance keys, or with one of the
    /// `retired` ones: those sign nothing, but whoever has one can still make what it vouches
    /// for: orders' seals, results of their bookings, limit totals and routing.
    pub fn new(keys: &SigningKeys, retired: &[Secret], unsealed_until_ms: i64) -> Self {
        OrderSeals {
            order_keys: OrderSealKeys::new(keys.all().chain(retired)),
            row_keys: std::iter::once(keys.clone())
                .chain(retired.iter().cloned().map(SigningKeys::from))
                .collect(),
            keys: keys.clone(),
            signer: keys.current().clone().into(),
            unsealed_until_ms,
            signed_since: SignedSince::default(),
        }
    }

    /// Signs units of work with `signer`.
    #[must_use]
    pub fn signing(mut self, signer: TransactionSigner) -> Self {
        self.signer = signer;
        self
    }

    /// Demands signatures of limit totals and routing as `since` says.
    #[must_use]
    pub fn demanding(mut self, since: SignedSince) -> Self {
        self.signed_since = since;
        self
    }

    /// Whether limit totals and routing must be signed.
    pub fn signed_since(&self) -> &SignedSince {
        &self.signed_since
    }

    /// The provenance keys: two while one replaces the other.
    pub fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// Tells whether a core or an operator signed the row of `table`; constant time for each key.
    pub fn is_signed_row(&self, table: &str, fields: &[EffectField<'_>], mac: &str) -> bool {
        let mut keys = self.row_keys.iter();
        keys.any(|keys| is_guard_row(keys, table, fields, mac))
    }

    /// Everything that units of work are signed with.
    pub fn signer(&self) -> &TransactionSigner {
        &self.signer
    }

    /// The keys that seals may be made with.
    pub(crate) fn seal_keys(&self) -> &OrderSealKeys {
        &self.order_keys
    }

    /// Tells whether the order, or what was booked for it, is from before there were seals.
    pub(crate) fn may_lack(&self, order_id: &str) -> bool {
        made_ms(order_id).is_some_and(|ms| ms < self.unsealed_until_ms)
    }

    /// Insists that most orders in flight have seals, as this core demands them: each without
    /// one would be a case, and stop its account. Fewer are somebody's doing, and are cases.
    ///
    /// # Errors
    /// The half of those that were looked at or more have none, and no time is set until
    /// when they may lack them.
    pub fn insist_on_sealed(&self, found: &UnsealedOrders) -> anyhow::Result<()> {
        let UnsealedOrders {
            looked_at,
            unsealed,
            example,
        } = found;
        let is_roll_out = *unsealed > 0 && unsealed * 2 >= *looked_at;
        ensure!(
            self.unsealed_until_ms > 0 || !is_roll_out,
            "{unsealed} of {looked_at} orders in flight that were looked at have no seal, {} among them: each would be a case \
             and stop its account. If this build's roll-out brings the seals, set accept.unsealed_until to the roll-out's \
             end, such as \"2026-12-01T12:00:00Z\", in every core's settings; else somebody took them away: see \
             docs/RUNBOOK.md, \"Altered order\", before anything is sent",
            example.as_deref().unwrap_or("-")
        );
        Ok(())
    }

    /// Takes out the rows that the core did not write like that.
    pub fn take_altered(&self, orders: &mut Vec<Order>) -> Vec<AlteredOrder> {
        let mut altered = Vec::new();
        orders.retain(|order| match self.check(order) {
            Ok(()) => true,
            Err(breach) => {
                let at = order.at();
                altered.push(AlteredOrder { at, breach });
                false
            }
        });
        altered
    }

    /// Checks a row as it was read.
    ///
    /// # Errors
    /// What does not hold: nothing may be done with the order.
    pub fn check(&self, order: &Order) -> Result<(), SealBreach> {
        // Also of one that may lack seals: nobody sends what isn't booked.
        if order.state == OrderState::Booking && (order.attempts > 0 || order.trade_time.is_some())
        {
            return Err(SealBreach::SentBeforeBooked);
        }
        let may_lack = self.may_lack(&order.order_id);
        match &order.request_mac {
            Some(seal) => {
                let request = order.sealed_request().ok_or(SealBreach::Amount)?;
                let checked = self.order_keys.check_request(seal, &request);
                checked.map_err(SealBreach::Request)?;
            }
            None if may_lack => {}
            None => return Err(SealBreach::RequestMissing),
        }
        match self.check_sending(order) {
            // An older core that is still running claims without sealing.
            Err(_) if may_lack => Ok(()),
            checked => checked,
        }
    }

    fn check_sending(&self, order: &Order) -> Result<(), SealBreach> {
        let now = SealedPhase::of(order);
        if now == SealedPhase::Ended && self.is_formerly_sealed(order) {
            return Ok(());
        }
        let seal = order.send_mac.as_ref().ok_or(SealBreach::SendingMissing)?;
        let check = |phase| {
            let sending = order.sealed_sending(phase);
            self.order_keys.check_sending(seal, &sending)
        };
        check(now).map_err(|error| {
            let mut others = SealedPhase::ALL.into_iter().filter(|phase| *phase != now);
            let sealed = others.find(|phase| check(*phase).is_ok());
            sealed.map_or(SealBreach::Sending(error), SealedPhase::breach)
        })
    }
}

impl OrderSeals {
    /// Tells whether the order has the seal of a build that sealed no phase. Of one that has
    /// ended it is believed for good: its money may come back years later, and no seal of that
    /// form lets anything be sent. One that was never sent had none, and gets nothing back.
    fn is_formerly_sealed(&self, order: &Order) -> bool {
        let sending = order.sealed_sending(SealedPhase::Ended);
        let check = |seal: &String| self.order_keys.check_former_sending(seal, &sending).is_ok();
        order.send_mac.as_ref().is_some_and(check)
    }
}

/// Compares the attempts of an order with its sealed row, before it is sent again: all that
/// the seal counts are there and no more, and only the last may still pay, at the order's
/// channel. `attempts` are in order of their numbers.
///
/// # Errors
/// They are others: somebody changed them, or has put an earlier row of the order back.
pub fn check_attempts(order: &Order, attempts: &[StoredAttempt]) -> Result<(), SealBreach> {
    let its: Vec<&StoredAttempt> = attempts
        .iter()
        .filter(|a| a.order_id == order.order_id)
        .collect();
    let are_counted = its.iter().map(|a| a.number).eq(1..=order.attempts);
    let may_pay = |a: &&&StoredAttempt| a.is_live;
    let is_its_last = |a: &StoredAttempt| {
        a.number == order.attempts && Some(a.channel.as_str()) == order.channel.as_deref()
    };
    if are_counted && its.iter().filter(may_pay).all(|a| is_its_last(a)) {
        return Ok(());
    }
    Err(SealBreach::Attempts)
}

impl Order {
    fn sealed_request(&self) -> Option<SealedRequest<'_>> {
        Some(SealedRequest {
            order: &self.order_id,
            account: &self.account_id,
            client: &self.client,
            kind: self.kind.as_str(),
            to: &self.to_account,
            bank: self.bank.as_deref().unwrap_or_default(),
            user: self.user_id.as_deref().unwrap_or_default(),
            payment_no: self.payment_no.as_deref().unwrap_or_default(),
            serial_no: &self.serial_no,
            units: column_units(self.amount)?,
            currency: self.currency.code(),
        })
    }

    fn sealed_sending(&self, phase: SealedPhase) -> SealedSending<'_> {
        SealedSending {
            order: &self.order_id,
            account: &self.account_id,
            serial_no: &self.serial_no,
            channel: self.channel.as_deref().unwrap_or_default(),
            trade_time: self.trade_time.as_deref().unwrap_or_default(),
            attempts: self.attempts.into(),
            phase: phase.as_str(),
        }
    }
}

/// Time at which an order's id was made, in ms since 1970 UTC: the first 48 bits of a
/// UUIDv7.
fn made_ms(order_id: &str) -> Option<i64> {
    i64::from_str_radix(order_id.get(..12)?, 16).ok()
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
