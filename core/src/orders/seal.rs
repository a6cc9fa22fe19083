//! Seals of an order's row: made with every write of it, checked under the lock of whoever
//! acts on it. What was asked is what is paid, a sending repeats the first one's serial
//! number, trade time and channel, and what has ended or is not booked is not sent, whoever
//! can write to the table.

use crate::orders::{Order, OrderRef};
use anyhow::Context;
use sluice_contract::money::column_units;
use sluice_contract::order::OrderState;
use sluice_contract::provenance::{
    OrderSealKey, OrderSealKeys, SealError, SealedRequest, SealedSending,
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

/// An order with a seal that does not hold: nothing is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlteredOrder {
    pub at: OrderRef,
    pub breach: SealBreach,
}

/// Checker of seals, with the key that signs what is written.
#[derive(Debug, Clone)]
pub struct OrderSeals {
    provenance: Secret,
    keys: OrderSealKeys,
    /// Orders that were made before this, in ms since 1970 UTC, may have no seals: 0 for
    /// none.
    unsealed_until_ms: i64,
}

impl OrderSeals {
    /// Makes a checker of seals made with the present provenance key or the `other`.
    pub fn new(current: &Secret, other: Option<&Secret>, unsealed_until_ms: i64) -> Self {
        OrderSeals {
            provenance: current.clone(),
            keys: OrderSealKeys::new(current, other),
            unsealed_until_ms,
        }
    }

    /// The key that units of work are signed with.
    pub fn provenance(&self) -> &Secret {
        &self.provenance
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
        let may_lack = made_ms(&order.order_id).is_some_and(|ms| ms < self.unsealed_until_ms);
        match &order.request_mac {
            Some(seal) => {
                let request = order.sealed_request().ok_or(SealBreach::Amount)?;
                let checked = self.keys.check_request(seal, &request);
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
        let seal = order.send_mac.as_ref().ok_or(SealBreach::SendingMissing)?;
        let now = SealedPhase::of(order);
        let check = |phase| {
            let sending = order.sealed_sending(phase);
            self.keys.check_sending(seal, &sending)
        };
        check(now).map_err(|error| {
            let mut others = SealedPhase::ALL.into_iter().filter(|phase| *phase != now);
            let sealed = others.find(|phase| check(*phase).is_ok());
            sealed.map_or(SealBreach::Sending(error), SealedPhase::breach)
        })
    }
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
