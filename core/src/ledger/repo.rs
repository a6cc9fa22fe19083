//! All SQL on `entry`: only ever INSERT.

use super::Posting;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Lit, push_row};

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
