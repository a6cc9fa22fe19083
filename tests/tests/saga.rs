//! A crash between any two steps of a booking, made on purpose: the saga's own
//! functions take the first steps, then nobody goes on until a real core starts.

use anyhow::{Context, ensure};
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::money::Currency;
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::sql;
use sluice_contract::supervisor::Supervisor;
use sluice_core::accept::{
    BookingRequest, CaptureBooking, DepositBooking, IdempotentRequest, WithdrawalBooking,
    split_books,
};
use sluice_core::dispatch::ReadyQueue;
use sluice_core::intents::{BookingIntent, BookingResult};
use sluice_core::orders::repo::{self, Attempt};
use sluice_core::orders::state::OrderInput;
use sluice_core::orders::{Order, OrderRef};
use sluice_core::outcome::{
    AckPolicy, OrderOutcome, OutcomeDelays, OutcomeRecorder, OutcomeResult,
};
use sluice_core::saga::{BookingSaga, SagaFollower};
use sluice_core::schema::{DatabaseUrls, migrate};
use sluice_core::transaction::Transaction;
use sluice_core::unit_of_work::UnitOfWork;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options, tail};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A core that can be stopped after any step.
struct SagaHand {
    saga: Arc<BookingSaga>,
    /// Writes outcomes; what they leave to be booked, nobody drives.
    outcomes: OutcomeRecorder,
    /// What writes them.
    _parts: Supervisor,
}

fn pool(url: &str, schema: &str) -> anyhow::Result<Pool> {
    sql::pool_of(sql::options(url)?.db_name(Some(schema.to_owned())), 8)
}

impl SagaHand {
    fn on(set: &TestStage) -> anyhow::Result<Self> {
        let (stage, ready) = (&set.stage, ReadyQueue::new(100));
        let split_books = stage.split_books.as_ref().context("servers of their own")?;
        let schemas = &stage.schemas;
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
            &stage.key,
            &ready,
        ));
        let nowhere = sql::pool("mysql://nobody@127.0.0.1:1", 1)?;
        let lame = BookingSaga::new(
            orders.clone(),
            nowhere.clone(),
            nowhere,
            schemas,
            &stage.key,
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
        };
        let outcomes = OutcomeRecorder::start(
            &parts,
            &orders,
            schemas,
            &stage.key,
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
    async fn booking(
        &self,
        key: &str,
        booking: BookingRequest,
    ) -> anyhow::Result<Vec<BookingIntent>> {
        let keyed = IdempotentRequest {
            client: "local".into(),
            key: key.into(),
            request_hash: format!("{:064}", 0),
            booking,
        };
        Ok(split_books::open(&self.saga, &[&keyed], false)
            .await?
            .intents)
    }

    /// Steps 2 to `last` of what is open, then nothing more.
    async fn go_on(&self, mut intents: Vec<BookingIntent>, last: u32) -> anyhow::Result<()> {
        intents.sort_by_key(|i| i.posting.posting_id.clone());
        if last < 2 {
            return Ok(());
        }
        let done = self.saga.book(&intents).await?;
        if last >= 3 {
            self.saga.post(&intents, &done).await?;
        }
        if last >= 4 {
            self.saga.close(&intents, &done).await?;
        }
        Ok(())
    }

    async fn fund(&self, account: &str, amount: i64) -> anyhow::Result<()> {
        let intents = self
            .booking(
                &format!("fund-{account}"),
                deposit(account, &format!("fund-{account}"), amount),
            )
            .await?;
        self.go_on(intents, 4).await
    }

    /// An accepted order of 10.
    async fn order(
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

    async fn hear(&self, at: &OrderRef, event: OrderInput) -> anyhow::Result<()> {
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

fn deposit(account: &str, biz_no: &str, amount: i64) -> BookingRequest {
    let (amount, currency) = (Decimal::from(amount), cny());
    BookingRequest::Deposit(DepositBooking {
        account_id: account.into(),
        amount,
        currency,
        biz_no: biz_no.into(),
    })
}

fn capture(account: &str, payment_no: &str) -> BookingRequest {
    let (amount, currency) = (Decimal::from(100), cny());
    BookingRequest::Capture(CaptureBooking {
        account_id: account.into(),
        amount,
        currency,
        payment_no: payment_no.into(),
        event_time_us: 0,
    })
}

fn withdraw(account: &str, amount: i64, kind: OrderKind, payment: Option<&str>) -> BookingRequest {
    BookingRequest::Withdraw(WithdrawalBooking {
        account_id: account.into(),
        kind,
        to_account: "payee".into(),
        amount: Decimal::from(amount),
        currency: cny(),
        user_id: None,
        transaction_id: format!("t-{account}"),
        biz_no: None,
        channel: None,
        bank: None,
        payment_no: payment.map(str::to_owned),
    })
}

/// As a claim leaves the order: out at a channel.
async fn send(set: &TestStage, at: &OrderRef) -> anyhow::Result<()> {
    let mut conn = pool(&set.stage.url, &set.stage.schemas.orders)?
        .get_conn()
        .await?;
    let mut transaction = Transaction::begin(&mut conn).await?;
    let mut order: Order = repo::lock(transaction.conn(), [at].into_iter())
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
        .commit(transaction, &set.stage.schemas, &set.stage.key, now_us())
        .await
}

/// What account `name` shall have at the end: available, reserved, intermediate,
/// intermediate reserved; and the state and code of its order.
struct ExpectedAccount {
    account: String,
    parts: [i64; 4],
    order: Option<(&'static str, Option<&'static str>)>,
}

/// Makes one of each kind of booking, stopped after step `last`.
async fn all_kinds(
    set: &TestStage,
    hand: &SagaHand,
    last: u32,
) -> anyhow::Result<Vec<ExpectedAccount>> {
    let mut wants = Vec::new();
    let mut want = |account: &str, parts: [i64; 4], order| {
        wants.push(ExpectedAccount {
            account: account.into(),
            parts,
            order,
        })
    };

    let account = format!("deposit-{last}");
    let intents = hand
        .booking(&account, deposit(&account, &account, 7))
        .await?;
    hand.go_on(intents, last).await?;
    want(&account, [7, 0, 0, 0], None);

    let account = format!("capture-{last}");
    let intents = hand.booking(&account, capture(&account, &account)).await?;
    hand.go_on(intents, last).await?;
    want(&account, [0, 0, 100, 0], None);

    let account = format!("reserve-{last}");
    hand.fund(&account, 100).await?;
    let intents = hand
        .booking(&account, withdraw(&account, 10, OrderKind::CashOut, None))
        .await?;
    hand.go_on(intents, last).await?;
    want(&account, [90, 10, 0, 0], Some(("init", None)));

    let account = format!("refused-{last}");
    hand.fund(&account, 9).await?;
    let intents = hand
        .booking(&account, withdraw(&account, 10, OrderKind::CashOut, None))
        .await?;
    hand.go_on(intents, last).await?;
    want(
        &account,
        [9, 0, 0, 0],
        Some(("failed", Some("insufficient_funds"))),
    );

    let account = format!("refund-{last}");
    let intents = hand
        .booking(&format!("pay-{account}"), capture(&account, "p"))
        .await?;
    hand.go_on(intents, 4).await?;
    let at = hand.order(&account, OrderKind::Refund, Some("p")).await?;
    hand.hear(&at, OrderInput::Cancel).await?;
    hand.go_on(hand.saga.open_of(&[at]).await?, last).await?;
    want(&account, [0, 0, 100, 0], Some(("failed", None)));

    let account = format!("release-{last}");
    hand.fund(&account, 100).await?;
    let at = hand.order(&account, OrderKind::CashOut, None).await?;
    hand.hear(&at, OrderInput::Cancel).await?;
    hand.go_on(hand.saga.open_of(&[at]).await?, last).await?;
    want(&account, [100, 0, 0, 0], Some(("failed", None)));

    let account = format!("finalize-{last}");
    hand.fund(&account, 100).await?;
    let at = hand.order(&account, OrderKind::CashOut, None).await?;
    send(set, &at).await?;
    hand.hear(&at, OrderInput::Succeeded).await?;
    hand.go_on(hand.saga.open_of(&[at]).await?, last).await?;
    want(&account, [90, 0, 0, 0], Some(("success", None)));

    // The return is there before the end is booked.
    let account = format!("returned-{last}");
    hand.fund(&account, 100).await?;
    let at = hand.order(&account, OrderKind::CashOut, None).await?;
    send(set, &at).await?;
    hand.hear(&at, OrderInput::Succeeded).await?;
    hand.hear(&at, OrderInput::Returned).await?;
    let open = hand.saga.open_of(&[at]).await?;
    ensure!(open.len() == 2, "{open:?}");
    hand.go_on(open, last).await?;
    want(&account, [100, 0, 0, 0], Some(("returned", None)));
    Ok(wants)
}

async fn check(set: &TestStage, want: &ExpectedAccount) -> anyhow::Result<()> {
    let split_books = set
        .stage
        .split_books
        .as_ref()
        .context("servers of their own")?;
    let mut conn = split_books.balance_pool.get_conn().await?;
    let sql = format!(
        "SELECT available,reserved,intermediate,intermediate_reserved FROM {}.balance WHERE account_id=?",
        set.stage.schemas.balance
    );
    let row: Option<(Decimal, Decimal, Decimal, Decimal)> =
        conn.exec_first(sql, (&want.account,)).await?;
    let (available, reserved, intermediate, held) =
        row.with_context(|| format!("{} has no balance", want.account))?;
    let have = [available, reserved, intermediate, held];
    ensure!(
        have == want.parts.map(Decimal::from),
        "{} has {have:?}, not {:?}",
        want.account,
        want.parts
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let orders = &set.stage.schemas.orders;
    let sql = format!("SELECT state,result_code FROM {orders}.orders WHERE account_id=?");
    let order: Option<(String, Option<String>)> = conn.exec_first(sql, (&want.account,)).await?;
    let told = order
        .as_ref()
        .map(|(state, code)| (state.as_str(), code.as_deref()));
    ensure!(
        told == want.order,
        "{}'s order is {told:?}, not {:?}",
        want.account,
        want.order
    );
    let sql = format!("SELECT COUNT(*) FROM {orders}.idempotency WHERE idempotency_key=?");
    let keys: Option<u64> = conn.exec_first(sql, (&want.account,)).await?;
    let refused = want.account.starts_with("refused");
    ensure!(
        !refused || keys == Some(0),
        "a refusal burned the key of {}",
        want.account
    );
    Ok(())
}

fn quiet() -> StageOptions {
    StageOptions {
        split_books: true,
        fence: false,
        dispatch: false,
        ..options()
    }
}

/// Waits until every booking is made.
async fn settled(set: &TestStage) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut conn = set.stage.pool.get_conn().await?;
    loop {
        let sql = format!(
            "SELECT COUNT(*) FROM {}.booking_intent",
            set.stage.schemas.orders
        );
        let open: u64 = conn.query_first(sql).await?.unwrap_or(0);
        if open == 0 {
            break;
        }
        let log = || tail(&set.stage.dir.join("core.log"));
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "{open} bookings stay open: {}",
            log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let held = set.stage.invariants().await?;
    ensure!(
        held.ledger_balanced && held.balances_match_ledger,
        "{:?}",
        held.problems
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_any_two_steps_ends_in_balanced_books() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(quiet()).await?;
    set.stage.start_core().await?;
    let mut core = set.stage.core.take().context("core")?;
    core.kill9()?;
    let hand = SagaHand::on(&set)?;
    let mut wants = Vec::new();
    for last in 1..=4 {
        wants.extend(all_kinds(&set, &hand, last).await?);
    }
    core.restart()?;
    set.stage.core = Some(core);
    settled(&set).await?;
    for want in &wants {
        check(&set, want).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posting_driven_by_many_at_once_is_booked_once_and_a_forged_one_never()
-> anyhow::Result<()> {
    let mut set = TestStage::prepare(quiet()).await?;
    set.stage.start_core().await?;
    drop(set.stage.core.take());
    let hand = SagaHand::on(&set)?;
    hand.fund("many", 100).await?;
    let mut intents = hand
        .booking("order", withdraw("many", 10, OrderKind::CashOut, None))
        .await?;
    intents.extend(hand.booking("first", deposit("fresh", "d", 5)).await?);
    let drives = (0..8).map(|_| {
        let (saga, intents) = (hand.saga.clone(), intents.clone());
        tokio::spawn(async move { saga.drive(intents).await })
    });
    for driven in futures_util::future::join_all(drives).await {
        ensure!(
            driven??
                .iter()
                .all(|(_, done)| *done == Some(BookingResult::Booked)),
            "one driver was told otherwise"
        );
    }
    // The same payment under another key is booked once, whatever it says.
    let again = hand.booking("second", deposit("fresh", "d", 6)).await?;
    let driven = hand.saga.drive(again).await?;
    ensure!(
        matches!(driven[0].1, Some(BookingResult::Refused(_))),
        "{driven:?}"
    );

    // A row that somebody else writes is never booked.
    let mut conn = set.stage.pool.get_conn().await?;
    let forged = format!(
        "INSERT INTO {}.booking_intent (account_id,posting_id,order_id,kind,order_kind,debit_book,credit_book,amount,currency,ref,\
         payment_no,client,idempotency_key,signature,attempts,created_us,due_us) VALUES ('many','dep-x','{}','deposit','cash_out',\
         'clearing.payments','available',1000,'CNY','x',NULL,'c','k','{}',0,1,1)",
        set.stage.schemas.orders,
        "0".repeat(32),
        "0".repeat(64)
    );
    conn.query_drop(forged).await?;
    let found = hand
        .saga
        .open_of(&[OrderRef::new("many", &"0".repeat(32))])
        .await?;
    ensure!(found.is_empty(), "{found:?}");
    conn.query_drop(format!(
        "DELETE FROM {}.booking_intent WHERE account_id='many'",
        set.stage.schemas.orders
    ))
    .await?;
    drop(conn);
    settled(&set).await?;
    check(
        &set,
        &ExpectedAccount {
            account: "many".into(),
            parts: [90, 10, 0, 0],
            order: Some(("init", None)),
        },
    )
    .await?;
    check(
        &set,
        &ExpectedAccount {
            account: "fresh".into(),
            parts: [5, 0, 0, 0],
            order: None,
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn books_other_than_the_orders_own_are_refused() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(quiet()).await?;
    set.stage.start_core().await?;
    drop(set.stage.core.take());
    let split_books = set
        .stage
        .split_books
        .as_ref()
        .context("servers of their own")?;
    let (orders, balance, ledger) = (
        set.stage.url.clone(),
        split_books.balance.url(),
        split_books.ledger.url(),
    );
    let swapped = DatabaseUrls {
        orders: orders.clone(),
        balance: ledger.clone(),
        ledger: ledger.clone(),
    };
    let known = DatabaseUrls {
        orders: orders.clone(),
        balance,
        ledger,
    };
    for (servers, setting) in [
        (swapped, "balance.url"),
        (DatabaseUrls::together(&orders), "mysql.url"),
    ] {
        let refused = migrate(&servers, &set.stage.schemas)
            .await
            .err()
            .map(|e| format!("{e:#}"))
            .unwrap_or_default();
        ensure!(
            refused.starts_with(setting) && refused.contains("were booked in"),
            "{setting}: {refused}"
        );
    }
    migrate(&known, &set.stage.schemas).await
}
