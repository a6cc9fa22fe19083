//! SQL of reading data at rest. Set-wise: a statement per table and chunk, never one
//! per account; none joins schemas, so that each may be on a server of its own.
//!
//! What must agree is compared here only as far as it must be found: rules judge.
//! Where millions of rows agree (postings, payments, orders), each side is summed up
//! per account by a print, the exclusive or of the CRC-32 of every row's words; only
//! accounts whose prints differ are read row by row. A single fault is missed with a
//! chance of 1 in 4 · 10⁹.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, pair_list, push_lit};

/// Groups of one statement at most: a ledger whose balances are gone must not come
/// into memory at once.
pub const MAX_GROUPS: usize = 100_000;
/// Postings that don't balance, of one statement. More are no accident: see `run`.
pub const MAX_POSTINGS: usize = 1_000;
/// Payments or orders of accounts that are read row by row.
pub const MAX_DETAIL_ROWS: usize = 200_000;

/// Which accounts.
#[derive(Debug, Clone, Copy)]
pub enum AccountFilter<'a> {
    /// After the first and up to the second; `None`: to the end.
    Range(&'a str, Option<&'a str>),
    /// Exactly these; never none.
    These(&'a [String]),
}

impl AccountFilter<'_> {
    fn sql(self) -> String {
        match self {
            AccountFilter::These(accounts) => format!(
                "account_id IN {}",
                in_list(accounts.iter().map(String::as_str))
            ),
            AccountFilter::Range(after, to) => {
                let mut sql = String::from("account_id > ");
                push_lit(&mut sql, SqlLiteral::Text(after));
                if let Some(to) = to {
                    sql.push_str(" AND account_id <= ");
                    push_lit(&mut sql, SqlLiteral::Text(to));
                }
                sql
            }
        }
    }
}

/// The account that ends a chunk of `most` balances after `after`; `None`: the last.
pub async fn chunk_end(
    conn: &mut Conn,
    schemas: &Schemas,
    after: &str,
    most: u32,
) -> mysql_async::Result<Option<String>> {
    let sql = format!(
        "SELECT account_id FROM {}.balance WHERE {} ORDER BY account_id,currency LIMIT 1 OFFSET {most}",
        schemas.balance,
        AccountFilter::Range(after, None).sql()
    );
    conn.query_first(sql).await
}

/// A balance's row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BalanceRow {
    pub account: String,
    pub currency: String,
    /// balance, available, reserved, intermediate, intermediate_reserved
    pub amounts: [Decimal; 5],
    pub version: i64,
}

pub async fn balances(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<BalanceRow>> {
    let sql = format!(
        "SELECT account_id,currency,balance,available,reserved,intermediate,intermediate_reserved,version \
         FROM {}.balance WHERE {} ORDER BY account_id,currency",
        schemas.balance,
        which.sql()
    );
    type Row = (
        String,
        String,
        Decimal,
        Decimal,
        Decimal,
        Decimal,
        Decimal,
        i64,
    );
    conn.query_map(
        sql,
        |(account, currency, balance, available, reserved, free, held, version): Row| BalanceRow {
            account,
            currency,
            amounts: [balance, available, reserved, free, held],
            version,
        },
    )
    .await
}

/// What the entries say of an account in one currency.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntrySums {
    pub account: String,
    pub currency: String,
    pub entries: i64,
    /// available, reserved, intermediate, intermediate_reserved
    pub amounts: [Decimal; 4],
}

/// Sums of the account's own books; one scan of the clustered key.
pub async fn entry_sums(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<EntrySums>> {
    let sum = |book: &str| format!("SUM(IF(book='{book}',IF(side='C',amount,-amount),0))");
    let sql = format!(
        "SELECT account_id,currency,COUNT(*),{},{},{},{} FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} \
         GROUP BY account_id,currency ORDER BY account_id,currency LIMIT {MAX_GROUPS}",
        sum("available"),
        sum("reserved"),
        sum("intermediate"),
        sum("intermediate_reserved"),
        schemas.ledger,
        which.sql()
    );
    type Row = (String, String, i64, Decimal, Decimal, Decimal, Decimal);
    conn.query_map(
        sql,
        |(account, currency, entries, available, reserved, free, held): Row| EntrySums {
            account,
            currency,
            entries,
            amounts: [available, reserved, free, held],
        },
    )
    .await
}

/// Postings whose debits and credits differ in some currency: (account, posting).
pub async fn unbalanced(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<(String, String)>> {
    // In the key's own order, so that nothing is sorted; a posting in two currencies
    // is looked at more closely below.
    let sql = format!(
        "SELECT account_id,posting_id FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} GROUP BY account_id,posting_id \
         HAVING SUM(IF(side='C',amount,-amount))<>0 OR MIN(currency)<>MAX(currency) \
         LIMIT {MAX_POSTINGS}",
        schemas.ledger,
        which.sql()
    );
    conn.query(sql).await
}

/// Account, posting, currency, lines, debits, credits.
pub type AuditPostingRow = (String, String, String, i64, Decimal, Decimal);

pub async fn postings(
    conn: &mut Conn,
    schemas: &Schemas,
    which: &[(String, String)],
) -> mysql_async::Result<Vec<AuditPostingRow>> {
    let these = pair_list(
        which
            .iter()
            .map(|(account, posting)| (account.as_str(), posting.as_str())),
    );
    let sql = format!(
        "SELECT account_id,posting_id,currency,COUNT(*),SUM(IF(side='D',amount,0)),SUM(IF(side='C',amount,0)) \
         FROM {}.entry WHERE (account_id,posting_id) IN {these} GROUP BY account_id,posting_id,currency \
         ORDER BY account_id,posting_id,currency",
        schemas.ledger
    );
    conn.query(sql).await
}

/// An account, its prints, and how many rows they are of.
pub type AccountChecksums = (String, [u64; 3], u64);

async fn prints(conn: &mut Conn, sql: String) -> mysql_async::Result<Vec<AccountChecksums>> {
    type Row = (String, u64, u64, u64, u64);
    conn.query_map(sql, |(account, one, two, three, rows): Row| {
        (account, [one, two, three], rows)
    })
    .await
}

fn crc(words: &str) -> String {
    format!("CRC32(CONCAT_WS(':',{words}))")
}

fn print(words: &str, only: &str) -> String {
    format!("BIT_XOR(IF({only},{},0))", crc(words))
}

/// Captured payments: as captured, as taken from, and how many are exceeded.
pub async fn capture_prints(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let sql = format!(
        "SELECT account_id,{},{},CAST(SUM(refunded<0 OR settled<0 OR refunded+settled>captured) AS UNSIGNED),COUNT(*) \
         FROM {}.capture WHERE {} GROUP BY account_id ORDER BY account_id",
        print("payment_no,currency,captured", "TRUE"),
        print("payment_no,refunded,settled", "refunded<>0 OR settled<>0"),
        schemas.balance,
        which.sql()
    );
    prints(conn, sql).await
}

/// What orders took from payments, under the second print of `capture_prints`.
pub async fn taken_prints(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let sql = format!(
        "SELECT account_id,0,{},0,COUNT(*) FROM ({}) taken GROUP BY account_id ORDER BY account_id",
        print("payment_no,refunded,settled", "refunded<>0 OR settled<>0"),
        taken(schemas, which, "")
    );
    prints(conn, sql).await
}

/// What orders took of each payment and neither gave back nor failed to take.
fn taken(schemas: &Schemas, which: AccountFilter<'_>, end: &str) -> String {
    format!(
        "{}account_id,payment_no,MIN(currency) currency,SUM(IF(kind='refund',amount,0)) refunded,\
         SUM(IF(kind='settlement',amount,0)) settled FROM {}.orders FORCE INDEX (PRIMARY) WHERE {} \
         AND payment_no IS NOT NULL AND state NOT IN ('booking','failed','returned') GROUP BY account_id,payment_no{end}",
        "SELECT ",
        schemas.orders,
        which.sql()
    )
}

/// What entries say was captured, under the first print of `capture_prints`.
pub async fn captured_prints(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let sql = format!(
        "SELECT account_id,{},0,0,COUNT(*) FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} AND kind='capture' \
         GROUP BY account_id ORDER BY account_id",
        print("ref,currency,amount", "book='intermediate' AND side='C'"),
        schemas.ledger,
        which.sql()
    );
    prints(conn, sql).await
}

/// Account, payment, currency and three amounts, of which some may be zero.
pub type PaymentRow = (String, String, String, Decimal, Decimal, Decimal);

/// Rows of `capture`: captured, refunded, settled.
pub async fn captures(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<PaymentRow>> {
    let sql = format!(
        "SELECT account_id,payment_no,currency,captured,refunded,settled FROM {}.capture WHERE {} LIMIT {MAX_DETAIL_ROWS}",
        schemas.balance,
        which.sql()
    );
    conn.query(sql).await
}

/// What orders took: 0, refunded, settled.
pub async fn taken_of(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<PaymentRow>> {
    let rows = taken(schemas, which, &format!(" LIMIT {MAX_DETAIL_ROWS}"));
    let sql =
        format!("SELECT account_id,payment_no,currency,0.0,refunded,settled FROM ({rows}) taken");
    conn.query(sql).await
}

/// What entries say was captured: amount, 0, 0.
pub async fn captured_of(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<PaymentRow>> {
    let sql = format!(
        "SELECT account_id,ref,MIN(currency),SUM(amount),0.0,0.0 FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} \
         AND kind='capture' AND book='intermediate' AND side='C' GROUP BY account_id,ref LIMIT {MAX_DETAIL_ROWS}",
        schemas.ledger,
        which.sql()
    );
    conn.query(sql).await
}

/// Orders whose money is reserved or gone, that were paid, and that came back.
pub async fn order_prints(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let words = "order_id,currency,amount";
    let sql = format!(
        "SELECT account_id,{},{},{},COUNT(*) FROM {}.orders FORCE INDEX (PRIMARY) WHERE {} \
         GROUP BY account_id ORDER BY account_id",
        print(words, "state NOT IN ('booking','failed')"),
        print(words, "state IN ('success','returned')"),
        print(words, "state='returned'"),
        schemas.orders,
        which.sql()
    );
    prints(conn, sql).await
}

/// What entries say of orders, under the same prints: reserved and not released,
/// finalized, returned.
pub async fn step_prints(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let words = "ref,currency,amount";
    let sql = format!(
        "SELECT account_id,{},{},{},COUNT(*) FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} AND line=0 \
         AND kind IN ('reserve','release','finalize','return') GROUP BY account_id ORDER BY account_id",
        print(words, "kind IN ('reserve','release')"),
        print(words, "kind='finalize'"),
        print(words, "kind='return'"),
        schemas.ledger,
        which.sql()
    );
    prints(conn, sql).await
}

/// Account, order, kind, state, currency, amount.
pub type AuditOrderRow = (String, String, String, String, String, Decimal);

pub async fn orders(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AuditOrderRow>> {
    let sql = format!(
        "SELECT account_id,order_id,kind,state,currency,amount FROM {}.orders WHERE {} LIMIT {MAX_DETAIL_ROWS}",
        schemas.orders,
        which.sql()
    );
    conn.query(sql).await
}

/// Account, order, currency; reserved, finalized, released, returned.
pub type OrderStepRow = (String, String, String, Decimal, Decimal, Decimal, Decimal);

pub async fn steps(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<OrderStepRow>> {
    let sum = |kind: &str| format!("SUM(IF(kind='{kind}',amount,0))");
    let sql = format!(
        "SELECT account_id,ref,MIN(currency),{},{},{},{} FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} AND line=0 \
         AND kind IN ('reserve','release','finalize','return') GROUP BY account_id,ref LIMIT {MAX_DETAIL_ROWS}",
        sum("reserve"),
        sum("finalize"),
        sum("release"),
        sum("return"),
        schemas.ledger,
        which.sql()
    );
    conn.query(sql).await
}

/// Accounts among these with a booking that is not made everywhere yet.
pub async fn open_sagas(
    conn: &mut Conn,
    schemas: &Schemas,
    accounts: &[String],
) -> mysql_async::Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT account_id FROM {}.booking_intent WHERE {}",
        schemas.orders,
        AccountFilter::These(accounts).sql()
    );
    conn.query(sql).await
}

/// Begins a snapshot of everything on this server. The isolation is this one
/// transaction's: the session's own gives none.
pub async fn begin(conn: &mut Conn) -> mysql_async::Result<()> {
    conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        .await
}

pub async fn end(conn: &mut Conn) -> mysql_async::Result<()> {
    conn.query_drop("COMMIT").await
}

/// Binlog file and offset of the snapshot that this connection holds; only MariaDB
/// can tell.
pub async fn snapshot_binlog_position(
    conn: &mut Conn,
) -> mysql_async::Result<Option<(String, u64)>> {
    let status: Vec<(String, String)> = conn.query("SHOW STATUS LIKE 'binlog_snapshot_%'").await?;
    let of = |name: &str| {
        status
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.clone())
    };
    let at = of("binlog_snapshot_position").and_then(|at| at.parse().ok());
    Ok(of("binlog_snapshot_file").zip(at))
}

/// The GTID position of a place. The server reads the file up to there.
pub async fn gtid_of(conn: &mut Conn, file: &str, at: u64) -> mysql_async::Result<Option<String>> {
    Ok(conn
        .exec_first::<Option<String>, _, _>("SELECT BINLOG_GTID_POS(?,?)", (file, at))
        .await?
        .flatten())
}
