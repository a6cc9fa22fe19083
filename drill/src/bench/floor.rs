//! The floor of accepting, in the same run: the accept transaction issued in batches by a
//! bare client.

use anyhow::Context;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Conn, Pool};
use sluice_core::accept::decide::decide;
use sluice_core::accept::transaction::unit_of_work;
use sluice_core::accept::{BookingRequest, DepositBooking, IdempotentRequest, WithdrawalBooking};
use sluice_core::balance;
use sluice_core::orders::names::GENERATED_TRANSACTION_PREFIX;
use sluice_core::transaction::Transaction;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Orders in one transaction, as in the recorded figures this is compared with.
pub const ORDERS_PER_TRANSACTION: u64 = 64;
/// Connections: more were no faster when measured.
const CONNECTION_COUNT: u64 = 4;

/// Books that the bare client writes to, and the money of each account.
#[derive(Clone)]
pub struct FloorBooks {
    pub url: String,
    pub schemas: Schemas,
    pub key: TransactionSigner,
    pub accounts: u64,
}

fn account(number: u64) -> String {
    format!("B{number:06}")
}

async fn write(
    conn: &mut Conn,
    books: &FloorBooks,
    asks: &[IdempotentRequest],
) -> anyhow::Result<()> {
    let lock = balance::repo::lock_sql(&books.schemas, asks.iter().map(|k| k.booking.account_id()));
    let (transaction, rows) = Transaction::begin_locking(conn, &lock).await?;
    let now = now_us();
    let decided = decide(
        &asks.iter().collect::<Vec<_>>(),
        balance::repo::from_rows(rows)?,
        Vec::new(),
        now,
    );
    if let Some(refused) = decided.results.iter().find_map(|v| v.as_ref().err()) {
        anyhow::bail!("the floor's own request was refused: {refused}");
    }
    unit_of_work(&decided)
        .commit(transaction, &books.schemas, &books.key, now)
        .await
}

async fn connect(books: &FloorBooks) -> anyhow::Result<Conn> {
    Pool::open(&books.url, &books.schemas.orders, 1)?
        .connect()
        .await
        .context("floor")
}

/// Gives every account of the floor money, by signed deposits.
pub async fn fund(books: &FloorBooks, currency: Currency) -> anyhow::Result<()> {
    let mut conn = connect(books).await?;
    let all: Vec<u64> = (0..books.accounts).collect();
    for some in all.chunks(200) {
        let deposit = |n: &u64| IdempotentRequest {
            client: "deposit".into(),
            scope: String::new(),
            key: format!("floor-{n}"),
            request_hash: "0".repeat(64),
            repeat_only: false,
            origin: sluice_contract::traces::RequestOrigin::fresh(),
            booking: BookingRequest::Deposit(DepositBooking {
                account_id: account(*n),
                amount: Decimal::from(10_000_000),
                currency,
                biz_no: format!("floor-{n}"),
            }),
        };
        write(
            &mut conn,
            books,
            &some.iter().map(deposit).collect::<Vec<_>>(),
        )
        .await?;
    }
    Ok(())
}

/// Orders per second that a bare client accepts for `time`, and how many in all.
pub async fn accept(
    books: &FloorBooks,
    currency: Currency,
    time: Duration,
) -> anyhow::Result<(u64, u64)> {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let writers: Vec<_> = (0..CONNECTION_COUNT)
        .map(|connection| {
            let (books, done) = (books.clone(), done.clone());
            tokio::spawn(async move {
                let mut conn = connect(&books).await?;
                let mut at = connection * 7;
                while begun.elapsed() < time {
                    let asks: Vec<IdempotentRequest> = (0..ORDERS_PER_TRANSACTION)
                        .map(|_| ask(&books, connection, &mut at, currency))
                        .collect();
                    write(&mut conn, &books, &asks).await?;
                    done.fetch_add(ORDERS_PER_TRANSACTION, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let all = done.load(Ordering::Relaxed);
    Ok((
        u64::try_from(u128::from(all) * 1_000 / begun.elapsed().as_millis().max(1))?,
        all,
    ))
}

/// The next order of a connection; its accounts are its own, as a writer's in the core.
fn ask(books: &FloorBooks, connection: u64, at: &mut u64, currency: Currency) -> IdempotentRequest {
    *at += 1;
    let number = (*at * 7_919 * CONNECTION_COUNT + connection) % books.accounts;
    let key = uuid::Uuid::now_v7().simple().to_string();
    IdempotentRequest {
        client: "floor".into(),
        scope: String::new(),
        key: key.clone(),
        request_hash: "0".repeat(64),
        repeat_only: false,
        origin: sluice_contract::traces::RequestOrigin::fresh(),
        booking: BookingRequest::Withdraw(WithdrawalBooking {
            account_id: account(number),
            kind: OrderKind::CashOut,
            to_account: "payee-1".into(),
            amount: Decimal::new(10_025, 2),
            currency,
            user_id: Some("user-1".into()),
            transaction_id: format!("{GENERATED_TRANSACTION_PREFIX}{key}"),
            biz_no: None,
            channel: Some("netsunion".into()),
            bank: None,
            payment_no: None,
            predecessor_id: None,
            unknown_payer_ok: false,
        }),
    }
}
