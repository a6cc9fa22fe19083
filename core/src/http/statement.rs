//! `GET /accounts/{id}/statement.csv`: one book of an account as a statement, line by
//! line with its running balance. Read and sent page by page: its length costs no
//! memory.

use crate::http::accounts::{
    QueryParameters, bad_field, balances, currency, named_parameters, page,
};
use crate::http::{ApiError, CoreApi, CoreApiState};
use crate::ledger::entry::{Entry, EntryPosition};
use crate::ledger::repo::EntryFilter;
use crate::ledger::{self, ACCOUNT_BOOKS, AVAILABLE_BOOK};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Entries read at a time.
const MAX_ENTRIES_PER_READ: usize = 500;
const CSV_HEADER: &str = "time,posting,kind,reference,debit,credit,balance,currency\n";

/// What is still to be sent.
struct StatementRest {
    api: Arc<CoreApi>,
    wanted: EntryFilter,
    after: EntryPosition,
    balance: Decimal,
    done: bool,
}

pub async fn statement(
    State(api): CoreApiState,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(given): QueryParameters,
) -> Result<Response, ApiError> {
    api.client(&headers)?;
    let given = named_parameters(given, &["currency", "from", "to", "book"])?;
    let book = given
        .get("book")
        .map_or(AVAILABLE_BOOK, String::as_str)
        .to_owned();
    if !ACCOUNT_BOOKS.contains(&book.as_str()) {
        return Err(bad_field(
            "book",
            &format!("is one of {}", ACCOUNT_BOOKS.join(", ")),
        ));
    }
    let currency = currency(&api, &given)?;
    let (from_us, until_us) = span(&given)?;
    let known = balances(&api, &id).await?;
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
    // What fails from here on cuts the answer off: the reader sees that it is not whole.
    let more = stream::try_unfold(rest, next);
    let body = Body::from_stream(stream::StreamExt::chain(
        stream::iter([anyhow::Ok(first)]),
        more,
    ));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, body).into_response())
}

/// The head, what the book held at the start, and the first page.
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

/// The next page's lines.
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

/// An id as a cell. Ids are plain: no comma, quote or line end; but a leading `-`
/// would make a spreadsheet compute.
fn cell(id: &str) -> String {
    if id.starts_with('-') {
        format!("'{id}")
    } else {
        id.to_owned()
    }
}

/// With all decimals of the currency: 100.00 CNY, 100 JPY.
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

/// `from` (inclusive) and `to` (exclusive) in microseconds. A date is a UTC day; the
/// last one is whole.
fn span(given: &BTreeMap<String, String>) -> Result<(i64, i64), ApiError> {
    let read = |name: &str, last: bool, otherwise: i64| match given.get(name) {
        Some(text) => instant(text, last).ok_or_else(|| {
            bad_field(
                name,
                "is a UTC date such as 2026-11-21, or microseconds since 1970",
            )
        }),
        None => Ok(otherwise),
    };
    let (from_us, until_us) = (read("from", false, 0)?, read("to", true, now_us())?);
    if from_us >= until_us {
        return Err(bad_field("to", "must be after from"));
    }
    Ok((from_us, until_us))
}

/// Years that a timestamp can be shown of.
const MAX_INSTANT_US: i64 = 253_402_207_200_000_000 - 1;

fn instant(text: &str, last: bool) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse()
            .ok()
            .filter(|us| (0..=MAX_INSTANT_US).contains(us));
    }
    let day: Date = text.parse().ok()?;
    let day = if last { day.tomorrow().ok()? } else { day };
    let at_us = day
        .to_zoned(TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_microsecond();
    (0..=MAX_INSTANT_US).contains(&at_us).then_some(at_us)
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
