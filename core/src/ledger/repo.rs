//! All SQL on `entry`: only ever INSERT and SELECT.

use super::Posting;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Lit, pair_list, push_row};

pub fn push_inserts(sql: &mut String, schemas: &Schemas, postings: &[Posting], now_us: i64) {
    sql.push_str("INSERT INTO ");
    sql.push_str(&schemas.ledger);
    sql.push_str(".entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us) VALUES ");
    let mut first = true;
    for p in postings {
        for (line, (side, book)) in p.lines().into_iter().enumerate() {
            push_row(
                sql,
                first,
                &[
                    Lit::Text(&p.account_id),
                    Lit::Text(&p.posting_id),
                    Lit::Int(line as i64),
                    Lit::Text(p.kind.as_str()),
                    Lit::Text(book),
                    Lit::Text(side.as_str()),
                    Lit::Dec(p.amount),
                    Lit::Text(p.currency.code()),
                    Lit::Text(&p.reference),
                    Lit::Int(now_us),
                ],
            );
            first = false;
        }
    }
    sql.push(';');
}

/// A line as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub account_id: String,
    pub posting_id: String,
    pub line: i64,
    pub book: String,
    pub side: String,
    pub amount: Decimal,
    pub currency: String,
}

/// The lines of these postings that are booked already.
pub async fn booked(conn: &mut impl Queryable, schemas: &Schemas, postings: &[&Posting]) -> anyhow::Result<Vec<Line>> {
    let sql = format!(
        "SELECT account_id,posting_id,line,book,side,amount,currency FROM {}.entry \
         WHERE (account_id,posting_id) IN {}",
        schemas.ledger,
        pair_list(postings.iter().map(|p| (p.account_id.as_str(), p.posting_id.as_str())))
    );
    type Stored = (String, String, i64, String, String, Decimal, String);
    let rows: Vec<Stored> = conn.query(sql).await?;
    let make = |(account_id, posting_id, line, book, side, amount, currency)| Line {
        account_id,
        posting_id,
        line,
        book,
        side,
        amount,
        currency,
    };
    Ok(rows.into_iter().map(make).collect())
}
