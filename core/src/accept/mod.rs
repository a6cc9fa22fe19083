//! Accepting by group commit: requests that arrive together share one
//! transaction over keys, orders, balances, entries and a signed outbox row.
//! Each caller gets its own result; one caller's failure never fails a neighbour.

pub mod decide;

pub mod split_books;
pub mod writer;

use crate::balance::BookingError;
use crate::config::AcceptConfig;
use crate::dispatch::ReadyQueue;
use crate::ledger::BookingAmount;
use crate::saga::BookingSaga;
use ahash::AHashSet;
use quick_cache::sync::Cache;
use rust_decimal::Decimal;
use sluice_contract::ids::bucket_of;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::supervisor::Supervisor;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Answers kept so that a repeated request spares the database (about 30 MB).
const MAX_CACHED_ANSWERS: usize = 100_000;

/// A checked request, ready to be booked.
#[derive(Debug, Clone)]
pub enum BookingRequest {
    Withdraw(WithdrawalBooking),
    Deposit(DepositBooking),
    Capture(CaptureBooking),
}

#[derive(Debug, Clone)]
pub struct WithdrawalBooking {
    pub account_id: String,
    pub kind: OrderKind,
    pub to_account: String,
    /// Major units of `currency`.
    pub amount: Decimal,
    pub currency: Currency,
    pub user_id: Option<String>,
    pub transaction_id: String,
    pub biz_no: Option<String>,
    pub channel: Option<String>,
    /// The payee's bank, for routing.
    pub bank: Option<String>,
    /// The captured payment that a refund or a settlement takes from.
    pub payment_no: Option<String>,
}

/// Books a payment that an upstream received for the account.
#[derive(Debug, Clone)]
pub struct DepositBooking {
    pub account_id: String,
    pub amount: Decimal,
    pub currency: Currency,
    pub biz_no: String,
}

/// Books a payment that a payer made to the merchant: onto the merchant's
/// intermediate account, to be refunded or settled later.
#[derive(Debug, Clone)]
pub struct CaptureBooking {
    pub account_id: String,
    pub amount: Decimal,
    pub currency: Currency,
    /// The payment's own number, unique per account.
    pub payment_no: String,
    /// When it was told, in its sender's clock; 0 if nobody said.
    pub event_time_us: i64,
}

impl WithdrawalBooking {
    pub fn sum(&self) -> BookingAmount<'_> {
        BookingAmount {
            account_id: &self.account_id,
            amount: self.amount,
            currency: self.currency,
            kind: self.kind,
            payment_no: self.payment_no.as_deref(),
        }
    }
}

impl DepositBooking {
    pub fn sum(&self) -> BookingAmount<'_> {
        let (account_id, amount, currency) = (self.account_id.as_str(), self.amount, self.currency);
        BookingAmount {
            account_id,
            amount,
            currency,
            kind: OrderKind::CashOut,
            payment_no: None,
        }
    }
}

impl CaptureBooking {
    pub fn sum(&self) -> BookingAmount<'_> {
        let (account_id, amount, currency) = (self.account_id.as_str(), self.amount, self.currency);
        BookingAmount {
            account_id,
            amount,
            currency,
            kind: OrderKind::CashOut,
            payment_no: Some(&self.payment_no),
        }
    }
}

impl BookingRequest {
    /// Why it is refused, in the words of where its money would come from.
    pub fn refusal(&self, error: BookingError) -> AcceptError {
        match (self, error) {
            (BookingRequest::Withdraw(w), BookingError::Insufficient)
                if w.kind != OrderKind::CashOut =>
            {
                AcceptError::InsufficientCaptured
            }
            (_, error) => error.into(),
        }
    }

    /// The captured payment that is made or taken from: account and number.
    pub fn payment(&self) -> Option<(&str, &str)> {
        match self {
            BookingRequest::Withdraw(w) => Some((&w.account_id, w.payment_no.as_deref()?)),
            BookingRequest::Deposit(_) => None,
            BookingRequest::Capture(c) => Some((&c.account_id, &c.payment_no)),
        }
    }

    pub fn account_id(&self) -> &str {
        match self {
            BookingRequest::Withdraw(w) => &w.account_id,
            BookingRequest::Deposit(d) => &d.account_id,
            BookingRequest::Capture(c) => &c.account_id,
        }
    }
}

/// Who asks, under which key, and what exactly (a hash over the fields).
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    pub client: String,
    pub key: String,
    pub request_hash: String,
    pub booking: BookingRequest,
}

/// The order (or booking) that a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRequest {
    pub order_id: String,
    /// True if an earlier request with this key made it.
    pub replayed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    #[error("another request with this key is being processed; ask again")]
    InFlight,
    #[error("this key was used for another request")]
    KeyReused,
    #[error("no such account")]
    UnknownAccount,
    #[error("the account has no balance in this currency")]
    UnknownBalance,
    #[error("available balance is smaller than the amount")]
    InsufficientFunds,
    #[error("the intermediate account has less free than the amount")]
    InsufficientCaptured,
    #[error("no such payment was captured for this account in this currency")]
    UnknownPayment,
    #[error("refunds and settlements would exceed what the payment captured")]
    PaymentExceeded,
    #[error("this payment is captured already")]
    AlreadyCaptured,
    #[error("the balance would exceed its bound")]
    BalanceOverflow,
    #[error("too many requests wait; try again")]
    Overloaded,
    #[error("the database refused to book it; nothing was written")]
    Unbookable,
    #[error("the database can't be reached; nothing was booked unless a repeat says so")]
    Unavailable,
}

impl From<BookingError> for AcceptError {
    fn from(error: BookingError) -> Self {
        match error {
            BookingError::UnknownAccount => AcceptError::UnknownAccount,
            BookingError::UnknownBalance => AcceptError::UnknownBalance,
            BookingError::Insufficient => AcceptError::InsufficientFunds,
            BookingError::UnknownPayment => AcceptError::UnknownPayment,
            BookingError::PaymentExceeded => AcceptError::PaymentExceeded,
            BookingError::AlreadyBooked => AcceptError::AlreadyCaptured,
            BookingError::Overflow => AcceptError::BalanceOverflow,
        }
    }
}

pub type AcceptResult = Result<AcceptedRequest, AcceptError>;

/// One request on its way through a lane.
pub struct PendingAccept {
    pub request: IdempotentRequest,
    pub answer: oneshot::Sender<AcceptResult>,
}

/// The front of the accept path: cache, in-flight keys, and the lanes.
pub struct Acceptor {
    lanes: Vec<mpsc::Sender<PendingAccept>>,
    in_flight: Mutex<AHashSet<(String, String)>>,
    answers: Cache<(String, String), Arc<(String, String)>>,
}

/// Frees the key when the request is over, however it ends.
struct InFlightKey<'a> {
    acceptor: &'a Acceptor,
    id: (String, String),
}

impl Drop for InFlightKey<'_> {
    fn drop(&mut self) {
        self.acceptor
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

impl Acceptor {
    /// Starts the lanes among `parts`. They end at the stop, once they are drained.
    /// `saga` books instead while balance and ledger are apart.
    pub fn start(
        parts: &Supervisor,
        config: &AcceptConfig,
        url: &str,
        schemas: &Schemas,
        key: &Secret,
        ready: &ReadyQueue,
        saga: Option<Arc<BookingSaga>>,
    ) -> Arc<Self> {
        let lanes = (0..config.writers)
            .map(|number| {
                let (sender, receiver) = mpsc::channel(config.queue_capacity);
                let lane = crate::accept::writer::AcceptWriter::new(
                    config,
                    url,
                    schemas,
                    key,
                    ready.clone(),
                    saga.clone(),
                );
                let stop = parts.stop_token();
                parts.spawn(format!("accept-writer-{number}"), lane.run(receiver, stop));
                sender
            })
            .collect();
        Arc::new(Acceptor {
            lanes,
            in_flight: Mutex::default(),
            answers: Cache::new(MAX_CACHED_ANSWERS),
        })
    }

    /// Books the request once. The answer leaves after the commit.
    ///
    /// The whole runs as a task of its own, so that a caller who hangs up can't
    /// free the key while the transaction is still under way.
    pub async fn submit(self: &Arc<Self>, request: IdempotentRequest) -> AcceptResult {
        let this = self.clone();
        let task = tokio::spawn(async move { this.book(request).await });
        task.await.unwrap_or(Err(AcceptError::Unavailable))
    }

    async fn book(&self, request: IdempotentRequest) -> AcceptResult {
        let id = (request.client.clone(), request.key.clone());
        if let Some(known) = self.answers.get(&id) {
            return replay(&known.0, &known.1, &request.request_hash);
        }
        if !self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone())
        {
            return Err(AcceptError::InFlight);
        }
        let slot = InFlightKey { acceptor: self, id };
        // One account always takes the same lane: lanes of one instance don't
        // wait for each other's locks, and a hot account's requests share batches.
        let lane = &self.lanes[bucket_of(request.booking.account_id()) as usize % self.lanes.len()];
        let (answer, result) = oneshot::channel();
        let hash = request.request_hash.clone();
        lane.try_send(PendingAccept { request, answer })
            .map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => AcceptError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => AcceptError::Unavailable,
            })?;
        let result = result.await.unwrap_or(Err(AcceptError::Unavailable));
        if let Ok(accepted) = &result {
            self.answers
                .insert(slot.id.clone(), Arc::new((hash, accepted.order_id.clone())));
        }
        result
    }
}

/// What a used key answers: the same order for the same request, else a refusal.
pub fn replay(known_hash: &str, order_id: &str, hash: &str) -> AcceptResult {
    if known_hash == hash {
        Ok(AcceptedRequest {
            order_id: order_id.to_owned(),
            replayed: true,
        })
    } else {
        Err(AcceptError::KeyReused)
    }
}
