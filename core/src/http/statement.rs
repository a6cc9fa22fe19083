//! `GET /accounts/{id}/statement.csv`: one book of an account as a statement, line by
//! line with its running balance. Read and sent page by page: its length costs no
//! memory.

use crate::access::Caller;
use crate::http::accounts::balances;
use crate::http::entries::page;
use crate::http::error::ApiError;
use crate::http::parameters::{QueryParameters, bad_field, currency, named_parameters};
use crate::http::state::{CoreApi, CoreApiState};
use crate::http::statement_span::span;
use crate::ledger::entry::{Entry, EntryPosition};
use crate::ledger::repo::EntryFilter;
use crate::ledger::{self, ACCOUNT_BOOKS, AVAILABLE_BOOK};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Entries read at a time.
const MAX_ENTRIES_PER_READ: usize = 500;
const CSV_HEADER: &str = "time,posting,kind,reference,debit,credit,balance,currency\n";

/// Rest of a statement: what is still to be sent.
struct StatementRest {
    api: Arc<CoreApi>,
    wanted: EntryFilter,
    after: EntryPosition,
    balance: Decimal,
    done: bool,
}

/// `GET /accounts/{id}/statement.csv`.
pub async fn statement(
    State(api): CoreApiState,
    caller: Caller,
    Path(id): Path<String>,
    Query(given): QueryParameters,
) -> Result<Response, ApiError> {
    let given = named_parameters(given, &["currency", "from", "to", "book"])?;
    let book = book(&given)?;
    let currency = currency(&api, &given)?;
    let (from_us, until_us) = span(&given)?;
    let known = balances(&api, &caller, &id).await?;
    if known.iter().all(|b| b.currency != currency) {
        return Err(bad_field("currency", "the account has no balance in it"));
    }
    let name = format!("attachment; filename=\"statement-{id}-{currency}-{book}.csv\"");
    let wanted = EntryFilter {
        account_id: id,
        currency,
        book: Some(book),
        until_us,
    };
    let rest = StatementRest {
        balance: Decimal::ZERO,
        after: EntryPosition::at(from_us),
        wanted,
        api: api.clone(),
        done: false,
    };
    let (first, rest) = open(rest, from_us)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    Ok(streamed(name, first, rest))
}

/// Reads which of the account's books is asked for.
fn book(given: &BTreeMap<String, String>) -> Result<String, ApiError> {
    let book = given.get("book").map_or(AVAILABLE_BOOK, String::as_str);
    if !ACCOUNT_BOOKS.contains(&book) {
        let books = ACCOUNT_BOOKS.join(", ");
        return Err(bad_field("book", &format!("is one of {books}")));
    }
    Ok(book.to_owned())
}

/// Answers with the first lines and goes on with the rest. What fails from here on cuts
/// the answer off: the reader sees that it is not whole.
fn streamed(name: String, first: Bytes, rest: StatementRest) -> Response {
    let more = stream::try_unfold(rest, next);
    let body = Body::from_stream(stream::StreamExt::chain(
        stream::iter([anyhow::Ok(first)]),
        more,
    ));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, body).into_response()
}

/// Reads the head, what the book held at the start, and the first page.
async fn open(mut rest: StatementRest, from_us: i64) -> anyhow::Result<(Bytes, StatementRest)> {
    let mut conn = rest.api.ledger.get_conn().await?;
    let (schemas, wanted) = (&rest.api.schemas, &rest.wanted);
    let book = wanted.book.as_deref().unwrap_or(AVAILABLE_BOOK);
    rest.balance = ledger::repo::held_before(&mut conn, schemas, wanted, book, from_us).await?;
    drop(conn);
    let mut text = CSV_HEADER.to_owned();
    let money = in_currency(rest.balance, &rest.wanted);
    let _ = writeln!(
        text,
        "{},,opening,,,,{money},{}",
        time(from_us)?,
        rest.wanted.currency
    );
    text.push_str(&lines(&mut rest).await?);
    Ok((text.into(), rest))
}

async fn next(mut rest: StatementRest) -> anyhow::Result<Option<(Bytes, StatementRest)>> {
    if rest.done {
        return Ok(None);
    }
    let text = lines(&mut rest).await?;
    Ok(Some((text.into(), rest)))
}

/// Writes the next page's lines.
async fn lines(rest: &mut StatementRest) -> anyhow::Result<String> {
    let entries = page(&rest.api, &rest.wanted, &rest.after, MAX_ENTRIES_PER_READ).await?;
    rest.done = entries.len() < MAX_ENTRIES_PER_READ;
    rest.after = entries
        .last()
        .map_or_else(|| rest.after.clone(), Entry::position);
    let mut text = String::with_capacity(entries.len() * 160);
    for entry in entries {
        rest.balance += entry.signed();
        let amount = in_currency(entry.amount, &rest.wanted);
        let (debit, credit) = if entry.credit {
            (String::new(), amount)
        } else {
            (amount, String::new())
        };
        // Writing into a String can't fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{debit},{credit},{},{}",
            time(entry.created_us)?,
            cell(&entry.posting_id),
            cell(&entry.kind),
            cell(&entry.reference),
            in_currency(rest.balance, &rest.wanted),
            rest.wanted.currency
        );
    }
    Ok(text)
}

/// Writes an id as a cell. Ids are plain: no comma, quote or line end; but a leading `-`
/// would make a spreadsheet compute.
fn cell(id: &str) -> String {
    if id.starts_with('-') {
        format!("'{id}")
    } else {
        id.to_owned()
    }
}

/// Writes an amount with all decimals of the currency: 100.00 CNY, 100 JPY.
fn in_currency(amount: Decimal, wanted: &EntryFilter) -> String {
    let mut scaled = amount.normalize();
    // Never fewer digits than the amount has: nothing is rounded.
    if scaled.scale() < wanted.currency.exponent() {
        scaled.rescale(wanted.currency.exponent());
    }
    scaled.to_string()
}

fn time(at_us: i64) -> anyhow::Result<String> {
    Ok(jiff::Timestamp::from_microsecond(at_us)?.to_string())
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
