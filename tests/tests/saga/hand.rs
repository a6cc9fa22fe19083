//! A hand that drives sagas step by step, as a core does, and stops where a test says.

use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_tx_id;
use sluice_contract::money::Currency;
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use sluice_core::accept::{
    BookingRequest, CaptureBooking, DepositBooking, IdempotentRequest, WithdrawalBooking,
    split_books,
};
use sluice_core::batch::LockWait;
use sluice_core::intents::BookingIntent;
use sluice_core::orders::repo::Attempt;
use sluice_core::orders::state::OrderInput;
use sluice_core::orders::{Order, OrderRef, OrderSeals, repo};
use sluice_core::outcome::{
    AckPolicy, OrderOutcome, OutcomeDelays, OutcomeRecorder, OutcomeResult,
};
use sluice_core::ready_queue::ReadyQueue;
use sluice_core::saga::{BookingSaga, SagaFollower};
use sluice_core::transaction::Transaction;
use sluice_core::unit_of_work::UnitOfWork;
use sluice_tests::TestStage;
use std::sync::Arc;

/// A core that can be stopped after any step.
pub(super) struct SagaHand {
    pub(super) saga: Arc<BookingSaga>,
    /// Writes outcomes; what they leave to be booked, nobody drives.
    outcomes: OutcomeRecorder,
    /// Writers of the outcomes.
    _parts: Supervisor,
}

fn pool(url: &str, schema: &str) -> anyhow::Result<Pool> {
    Pool::open(url, schema, 8)
}

impl SagaHand {
    pub(super) fn on(set: &TestStage) -> anyhow::Result<Self> {
        let (stage, ready) = (&set.stage, ReadyQueue::new(100));
        let split_books = stage.split_books.as_ref().context("servers of their own")?;
        let schemas = &stage.schemas;
        let seals =
            OrderSeals::new(&stage.key.clone().into(), &[], 0).signing(stage.signer.clone());
        let orders = pool(&stage.url, &schemas.orders)?;
        let (balance, ledger) = (
            pool(&split_books.balance.url(), &schemas.balance)?,
            pool(&split_books.ledger.url(), &schemas.ledger)?,
        );
        let saga = Arc::new(BookingSaga::new(
            orders.clone(),
            balance,
            ledger,
            schemas,
            &seals,
            &ready,
        ));
        let nowhere = pool("mysql://nobody@127.0.0.1:1", "nothing")?;
        let lame = BookingSaga::new(
            orders.clone(),
            nowhere.clone(),
            nowhere,
            schemas,
            &seals,
            &ready,
        );
        let parts = Supervisor::default();
        let follower = SagaFollower::start(&parts, &Arc::new(lame));
        let ack_policy = AckPolicy {
            clients: Default::default(),
            first_us: 1,
            max_delay_us: 1,
            max_notifications: 1,
        };
        let waits = OutcomeDelays {
            first_query_us: 1_000_000,
            callback_us: 1_000_000,
            ack_policy,
            ..OutcomeDelays::default()
        };
        let outcomes = OutcomeRecorder::start(
            &parts,
            &orders,
            schemas,
            &seals,
            &waits,
            &ready,
            Some(&follower),
        );
        Ok(SagaHand {
            saga,
            outcomes,
            _parts: parts,
        })
    }

    /// Step 1 of a request.
    pub(super) async fn booking(
        &self,
        key: &str,
        booking: BookingRequest,
    ) -> anyhow::Result<Vec<BookingIntent>> {
        let keyed = IdempotentRequest {
            client: "local".into(),
            scope: String::new(),
            key: key.into(),
            request_hash: format!("{:064}", 0),
            repeat_only: false,
            origin: sluice_contract::traces::RequestOrigin::fresh(),
            booking,
        };
        Ok(split_books::open(&self.saga, &[&keyed], false)
            .await?
            .intents)
    }

    /// Steps 2 to `last` of what is open, then nothing more.
    pub(super) async fn go_on(
        &self,
        mut intents: Vec<BookingIntent>,
        last: u32,
    ) -> anyhow::Result<()> {
        intents.sort_by_key(|i| i.posting.posting_id.clone());
        if last < 2 {
            return Ok(());
        }
        let done = self.saga.book(&intents, LockWait::Usual).await?;
        if last >= 3 {
            self.saga.post(&intents, &done, LockWait::Usual).await?;
        }
        if last >= 4 {
            self.saga.close(&intents, &done).await?;
        }
        Ok(())
    }

    pub(super) async fn fund(&self, account: &str, amount: i64) -> anyhow::Result<()> {
        let intents = self
            .booking(
                &format!("fund-{account}"),
                deposit(account, &format!("fund-{account}"), amount),
            )
            .await?;
        self.go_on(intents, 4).await
    }

    /// An accepted order of 10.
    pub(super) async fn order(
        &self,
        account: &str,
        kind: OrderKind,
        payment: Option<&str>,
    ) -> anyhow::Result<OrderRef> {
        let intents = self
            .booking(
                &format!("order-{account}"),
                withdraw(account, 10, kind, payment),
            )
            .await?;
        let at = OrderRef::new(account, &intents[0].order_id);
        self.go_on(intents, 4).await?;
        Ok(at)
    }

    pub(super) async fn record_outcome(
        &self,
        at: &OrderRef,
        event: OrderInput,
    ) -> anyhow::Result<()> {
        let taken = self
            .outcomes
            .record(OrderOutcome::new(at.clone(), event))
            .await?;
        ensure!(
            taken == OutcomeResult::Moved,
            "{event:?} of {at:?} was {taken:?}"
        );
        Ok(())
    }
}

fn cny() -> Currency {
    "CNY".parse().expect("CNY is a currency")
}

pub(super) fn deposit(account: &str, biz_no: &str, amount: i64) -> BookingRequest {
    let (amount, currency) = (Decimal::from(amount), cny());
    BookingRequest::Deposit(DepositBooking {
        account_id: account.into(),
        amount,
        currency,
        biz_no: biz_no.into(),
    })
}

pub(super) fn capture(account: &str, payment_no: &str) -> BookingRequest {
    let (amount, currency) = (Decimal::from(100), cny());
    BookingRequest::Capture(CaptureBooking {
        account_id: account.into(),
        amount,
        currency,
        payment_no: payment_no.into(),
        payer: Some("payee".into()),
        event_time_us: 0,
    })
}

pub(super) fn withdraw(
    account: &str,
    amount: i64,
    kind: OrderKind,
    payment: Option<&str>,
) -> BookingRequest {
    BookingRequest::Withdraw(WithdrawalBooking {
        account_id: account.into(),
        kind,
        to_account: "payee".into(),
        amount: Decimal::from(amount),
        currency: cny(),
        user_id: None,
        transaction_id: format!("t-{}", new_tx_id()),
        biz_no: None,
        channel: None,
        bank: None,
        payment_no: payment.map(str::to_owned),
        predecessor_id: None,
        unknown_payer_ok: false,
    })
}

/// As a claim leaves the order: out at a channel.
pub(super) async fn send(set: &TestStage, at: &OrderRef) -> anyhow::Result<()> {
    let mut conn = pool(&set.stage.url, &set.stage.schemas.orders)?
        .get_conn()
        .await?;
    let mut transaction = Transaction::begin(&mut conn).await?;
    let mut order: Order = repo::lock(transaction.conn(), [at].into_iter(), LockWait::Usual)
        .await?
        .pop()
        .context("no such order")?;
    order.state = OrderState::Dispatching;
    order.channel = Some("netsunion".into());
    order.attempts = 1;
    order.version += 1;
    let attempt = Attempt {
        order: &order,
        channel: "netsunion",
        state: "sent",
        live: true,
    };
    let unit_of_work = UnitOfWork {
        moved_orders: vec![&order],
        new_attempts: vec![attempt],
        ..UnitOfWork::default()
    };
    unit_of_work
        .commit(transaction, &set.stage.schemas, &set.stage.signer, now_us())
        .await
}
