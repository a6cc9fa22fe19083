//! Transactions written past the core: with its signature (what a buggy release
//! would write, and how a repair is made) or without (what a person types).

use anyhow::Context;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_tx_id;
use sluice_contract::money::column_units;
use sluice_contract::provenance::{
    OrderSealKey, SealedEntry, SignedBalance, SignedEntry, SignedOrder, TransactionEffects,
    TransactionSigner,
};
use sluice_contract::schema::Schemas;

fn units(amount: Decimal) -> anyhow::Result<i128> {
    column_units(amount).with_context(|| format!("{amount} has too many decimals"))
}

/// Writes the outbox row that makes the open transaction the core's own.
async fn sign(
    conn: &mut Conn,
    schemas: &Schemas,
    signer: &TransactionSigner,
    account: &str,
    effects: &TransactionEffects,
) -> anyhow::Result<()> {
    let tx_id = new_tx_id();
    let signed = signer.sign(effects, &tx_id, "[]");
    let sql = format!(
        "INSERT INTO {}.outbox (account_id,tx_id,signature,proof,events,created_us) VALUES (?,?,?,?,'[]',?)",
        schemas.orders
    );
    Ok(conn
        .exec_drop(
            sql,
            (account, tx_id, signed.signature, signed.proof, now_us()),
        )
        .await?)
}

/// Sets an order's state as a wrong release of the core would: signed.
pub async fn set_state(
    conn: &mut Conn,
    schemas: &Schemas,
    signer: &TransactionSigner,
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
    effects.order(&SignedOrder {
        account_id: account.as_bytes(),
        order_id: order_id.as_bytes(),
        kind: kind.as_bytes(),
        state: state.as_bytes(),
        to_account: to.as_bytes(),
        amount: units(amount)?,
        currency: currency.as_bytes(),
        channel: channel.as_deref().unwrap_or_default().as_bytes(),
        serial_no: serial_no.as_bytes(),
        trade_time: trade_time.as_deref().unwrap_or_default().as_bytes(),
        version: i128::from(version) + 1,
    });
    sign(conn, schemas, signer, &account, &effects).await?;
    Ok(conn.query_drop("COMMIT").await?)
}

/// Moves `amount` (negative: out) between an account's available money and a
/// clearing book, in balanced books. Signed only if a signer is given.
pub async fn adjust(
    conn: &mut Conn,
    schemas: &Schemas,
    signer: Option<&TransactionSigner>,
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
    effects.balance(&SignedBalance {
        account_id: account.as_bytes(),
        currency: b"CNY",
        balance: units(balance + amount)?,
        available: units(available + amount)?,
        reserved: units(reserved)?,
        intermediate: units(intermediate)?,
        intermediate_reserved: units(held)?,
        version: i128::from(version) + 1,
    });
    let seals = signer.map(|signer| OrderSealKey::derive(signer.mac_key()));
    let booking = (account, amount, posting);
    insert_entries(conn, schemas, booking, seals.as_ref(), &mut effects).await?;
    if let Some(signer) = signer {
        sign(conn, schemas, signer, account, &effects).await?;
    }
    Ok(conn.query_drop("COMMIT").await?)
}

/// Writes both entries of a posting (account, amount, id), and adds them to what is signed.
async fn insert_entries(
    conn: &mut Conn,
    schemas: &Schemas,
    (account, amount, posting): (&str, Decimal, &str),
    seals: Option<&OrderSealKey>,
    effects: &mut TransactionEffects,
) -> anyhow::Result<()> {
    let (debit, credit) = if amount > Decimal::ZERO {
        ("clearing.manual", "available")
    } else {
        ("available", "clearing.manual")
    };
    let (units, created_us) = (units(amount.abs())?, now_us());
    for (line, side, book) in [(0, "D", debit), (1, "C", credit)] {
        let sealed = SealedEntry {
            account,
            posting,
            line,
            kind: "adjust",
            book,
            side,
            units,
            currency: "CNY",
            reference: posting,
            created_us,
            client: "",
        };
        let mac = seals.map(|seals| seals.entry(&sealed)).unwrap_or_default();
        conn.exec_drop(
            format!(
                "INSERT INTO {}.entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us,mac) \
                 VALUES (?,?,?,'adjust',?,?,?,'CNY',?,?,?)",
                schemas.ledger
            ),
            (account, posting, line, book, side, amount.abs(), posting, created_us, mac),
        )
        .await?;
        effects.entry(&SignedEntry {
            account_id: account.as_bytes(),
            posting_id: posting.as_bytes(),
            line: line.into(),
            book: book.as_bytes(),
            side: side.as_bytes(),
            amount: units,
            currency: b"CNY",
        });
    }
    Ok(())
}
