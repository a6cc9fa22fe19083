//! Transactions written past the core: with its signature (what a buggy release
//! would write, and how a repair is made) or without (what a person types).

use anyhow::Context;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_tx_id;
use sluice_contract::money::column_units;
use sluice_contract::provenance::{OrderTextFields, TransactionEffects};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;

fn units(amount: Decimal) -> anyhow::Result<i128> {
    column_units(amount).with_context(|| format!("{amount} has too many decimals"))
}

/// Writes the outbox row that makes the open transaction the core's own.
async fn sign(
    conn: &mut Conn,
    schemas: &Schemas,
    key: &Secret,
    account: &str,
    effects: &TransactionEffects,
) -> anyhow::Result<()> {
    let tx_id = new_tx_id();
    let signature = effects.sign(key, &tx_id, "[]");
    let sql = format!(
        "INSERT INTO {}.outbox (account_id,tx_id,signature,events,created_us) VALUES (?,?,?,'[]',?)",
        schemas.orders
    );
    Ok(conn
        .exec_drop(sql, (account, tx_id, signature, now_us()))
        .await?)
}

/// Sets an order's state as a wrong release of the core would: signed.
pub async fn set_state(
    conn: &mut Conn,
    schemas: &Schemas,
    key: &Secret,
    order_id: &str,
    state: &str,
    due_us: Option<i64>,
) -> anyhow::Result<()> {
    let orders = &schemas.orders;
    conn.query_drop("START TRANSACTION").await?;
    let select = format!(
        "SELECT account_id,to_account,amount,currency,version,kind,channel,serial_no,trade_time \
         FROM {orders}.orders WHERE order_id=? FOR UPDATE"
    );
    type SignedOrderRow = (
        String,
        String,
        Decimal,
        String,
        i64,
        String,
        Option<String>,
        String,
        Option<String>,
    );
    let row: Option<SignedOrderRow> = conn.exec_first(select, (order_id,)).await?;
    let (account, to, amount, currency, version, kind, channel, serial_no, trade_time) =
        row.with_context(|| format!("no order {order_id}"))?;
    conn.exec_drop(
        format!("UPDATE {orders}.orders SET state=?,due_us=?,version=version+1 WHERE account_id=? AND order_id=?"),
        (state, due_us, &account, order_id),
    )
    .await?;
    let mut effects = TransactionEffects::new();
    let words = OrderTextFields {
        kind: kind.as_bytes(),
        state: state.as_bytes(),
        to: to.as_bytes(),
        currency: currency.as_bytes(),
        channel: channel.as_deref().unwrap_or_default().as_bytes(),
        serial_no: serial_no.as_bytes(),
        trade_time: trade_time.as_deref().unwrap_or_default().as_bytes(),
    };
    effects.order(
        account.as_bytes(),
        order_id.as_bytes(),
        &words,
        units(amount)?,
        i128::from(version) + 1,
    );
    sign(conn, schemas, key, &account, &effects).await?;
    Ok(conn.query_drop("COMMIT").await?)
}

/// Moves `amount` (negative: out) between an account's available money and a
/// clearing book, in balanced books. Signed only if a key is given.
pub async fn adjust(
    conn: &mut Conn,
    schemas: &Schemas,
    key: Option<&Secret>,
    account: &str,
    amount: Decimal,
    posting: &str,
) -> anyhow::Result<()> {
    conn.query_drop("START TRANSACTION").await?;
    let row: Option<(Decimal, Decimal, Decimal, Decimal, Decimal, i64)> = conn
        .exec_first(
            format!(
                "SELECT balance,available,reserved,intermediate,intermediate_reserved,version FROM {}.balance WHERE account_id=? AND currency='CNY' FOR UPDATE",
                schemas.balance
            ),
            (account,),
        )
        .await?;
    let (balance, available, reserved, intermediate, held, version) =
        row.with_context(|| format!("no account {account}"))?;
    conn.exec_drop(
        format!(
            "UPDATE {}.balance SET balance=?,available=?,version=version+1 WHERE account_id=? AND currency='CNY'",
            schemas.balance
        ),
        (balance + amount, available + amount, account),
    )
    .await?;
    let mut effects = TransactionEffects::new();
    let amounts = [
        balance + amount,
        available + amount,
        reserved,
        intermediate,
        held,
    ];
    let [balance, available, reserved, intermediate, held] = amounts.map(units);
    let amounts = [balance?, available?, reserved?, intermediate?, held?];
    effects.balance(
        account.as_bytes(),
        b"CNY",
        &amounts,
        i128::from(version) + 1,
    );
    insert_entries(conn, schemas, account, amount, posting, &mut effects).await?;
    if let Some(key) = key {
        sign(conn, schemas, key, account, &effects).await?;
    }
    Ok(conn.query_drop("COMMIT").await?)
}

/// Writes both entries of a posting, and adds them to what is signed.
async fn insert_entries(
    conn: &mut Conn,
    schemas: &Schemas,
    account: &str,
    amount: Decimal,
    posting: &str,
    effects: &mut TransactionEffects,
) -> anyhow::Result<()> {
    let (debit, credit) = if amount > Decimal::ZERO {
        ("clearing.manual", "available")
    } else {
        ("available", "clearing.manual")
    };
    for (line, side, book) in [(0, "D", debit), (1, "C", credit)] {
        conn.exec_drop(
            format!(
                "INSERT INTO {}.entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us) \
                 VALUES (?,?,?,'adjust',?,?,?,'CNY',?,?)",
                schemas.ledger
            ),
            (account, posting, line, book, side, amount.abs(), posting, now_us()),
        )
        .await?;
        effects.entry(
            account.as_bytes(),
            posting.as_bytes(),
            line,
            book.as_bytes(),
            side.as_bytes(),
            units(amount.abs())?,
            b"CNY",
        );
    }
    Ok(())
}
