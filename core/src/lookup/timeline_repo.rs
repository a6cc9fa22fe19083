//! SQL that reads all rows of one order: history, attempts, postings, cases. Only ever
//! SELECT.

use crate::orders::OrderRef;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;

/// One row of `order_transition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionRow {
    pub version: i64,
    pub event: String,
    pub from: String,
    pub to: String,
    pub channel: Option<String>,
    pub code: Option<String>,
    pub at_us: i64,
}

/// Reads the order's history, by version.
pub async fn transitions(
    conn: &mut impl Queryable,
    at: &OrderRef,
) -> anyhow::Result<Vec<TransitionRow>> {
    let sql = "SELECT version,event,from_state,to_state,channel,code,at_us FROM order_transition \
               WHERE account_id=? AND order_id=? ORDER BY version";
    type TransitionColumns = (
        i64,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        i64,
    );
    let rows: Vec<TransitionColumns> = conn.exec(sql, (&at.account_id, &at.order_id)).await?;
    let make = |(version, event, from, to, channel, code, at_us)| TransitionRow {
        version,
        event,
        from,
        to,
        channel,
        code,
        at_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// One row of `attempt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    pub number: i64,
    pub channel: String,
    pub state: String,
    /// May still pay.
    pub live: bool,
    pub code: Option<String>,
    pub created_us: i64,
    pub updated_us: i64,
}

/// Reads the order's attempts, by number.
pub async fn attempts(conn: &mut impl Queryable, at: &OrderRef) -> anyhow::Result<Vec<AttemptRow>> {
    let sql = "SELECT attempt_no,channel,state,live,code,created_us,updated_us FROM attempt \
               WHERE account_id=? AND order_id=? ORDER BY attempt_no";
    type AttemptColumns = (i64, String, String, Option<i64>, Option<String>, i64, i64);
    let rows: Vec<AttemptColumns> = conn.exec(sql, (&at.account_id, &at.order_id)).await?;
    let make =
        |(number, channel, state, live, code, created_us, updated_us): AttemptColumns| AttemptRow {
            number,
            channel,
            state,
            live: live.is_some(),
            code,
            created_us,
            updated_us,
        };
    Ok(rows.into_iter().map(make).collect())
}

/// One posting of the order: an amount from the debited to the credited book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPostingRow {
    pub posting_id: String,
    pub kind: String,
    pub debit: String,
    pub credit: String,
    pub amount: Decimal,
    pub currency: String,
    pub at_us: i64,
}

/// Reads the order's postings; their ids derive from the order's. Takes a connection to
/// the ledger.
pub async fn postings(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    at: &OrderRef,
) -> anyhow::Result<Vec<OrderPostingRow>> {
    let ids = ["reserve", "end", "return"].map(|step| format!("{}-{step}", at.order_id));
    let sql = format!(
        "SELECT posting_id,kind,side,book,amount,currency,created_us FROM {}.entry \
         WHERE account_id=? AND posting_id IN {} ORDER BY created_us,posting_id,line",
        schemas.ledger,
        in_list(ids.iter().map(String::as_str))
    );
    type PostingColumns = (String, String, String, String, Decimal, String, i64);
    let rows: Vec<PostingColumns> = conn.exec(sql, (&at.account_id,)).await?;
    let mut all: Vec<OrderPostingRow> = Vec::new();
    for (posting_id, kind, side, book, amount, currency, at_us) in rows {
        if all.last().is_none_or(|p| p.posting_id != posting_id) {
            let (debit, credit) = (String::new(), String::new());
            all.push(OrderPostingRow {
                posting_id,
                kind,
                debit,
                credit,
                amount,
                currency,
                at_us,
            });
        }
        if let Some(posting) = all.last_mut() {
            *if side == "D" {
                &mut posting.debit
            } else {
                &mut posting.credit
            } = book;
        }
    }
    Ok(all)
}

/// One row of `cases`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    pub order_id: String,
    pub kind: String,
    pub detail: String,
    pub state: String,
    pub opened_us: i64,
    pub closed_us: Option<i64>,
    pub closed_by: Option<String>,
    pub note: Option<String>,
}

/// Reads the cases of these orders, oldest first.
pub async fn cases(conn: &mut impl Queryable, orders: &[OrderRef]) -> anyhow::Result<Vec<CaseRow>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT order_id,kind,detail,state,opened_us,closed_us,closed_by,note FROM cases \
         WHERE account_id IN {} AND order_id IN {} ORDER BY opened_us",
        in_list(orders.iter().map(|o| o.account_id.as_str())),
        in_list(orders.iter().map(|o| o.order_id.as_str()))
    );
    type CaseColumns = (
        String,
        String,
        String,
        String,
        i64,
        Option<i64>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<CaseColumns> = conn.query(sql).await?;
    let make =
        |(order_id, kind, detail, state, opened_us, closed_us, closed_by, note): CaseColumns| {
            CaseRow {
                order_id,
                kind,
                detail,
                state,
                opened_us,
                closed_us,
                closed_by,
                note,
            }
        };
    Ok(rows.into_iter().map(make).collect())
}

/// Tells when the oldest event that still waits in the outbox was written.
pub async fn oldest_unpublished(conn: &mut impl Queryable) -> anyhow::Result<Option<i64>> {
    Ok(conn
        .query_first("SELECT created_us FROM outbox ORDER BY tx_id LIMIT 1")
        .await?)
}
