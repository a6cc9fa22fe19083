//! Cases: what a person must look at. Nothing ends silently; what the machine can't
//! decide is written down here, with the order's whole history beside it.

pub mod aside;
pub mod repo;

use crate::journal::Journal;
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;

/// Why somebody must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaseKind {
    /// A channel's word that can't be true together with what we know.
    Contradiction,
    /// A channel speaks of a serial number that nobody here knows.
    UnknownSerial,
    /// Asked as often as allowed, without an end.
    Exhausted,
    /// The upstream never confirmed the result.
    Unheard,
    /// It waits to be sent for longer than anybody may overlook.
    NotSent,
    /// Its row can't be read or written: put aside, so that others go on.
    Unreadable,
}

/// Kinds that the core closes itself, once the order has gone on.
pub const CLOSED_BY_CORE: [CaseKind; 3] =
    [CaseKind::Exhausted, CaseKind::Unheard, CaseKind::NotSent];
/// Who closed a case if no person did: these may be opened again.
pub const CLOSERS: [&str; 3] = ["channel", "upstream", "core"];

impl CaseKind {
    pub const ALL: [CaseKind; 6] = [
        CaseKind::Contradiction,
        CaseKind::UnknownSerial,
        CaseKind::Exhausted,
        CaseKind::Unheard,
        CaseKind::NotSent,
        CaseKind::Unreadable,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            CaseKind::Contradiction => "contradiction",
            CaseKind::UnknownSerial => "unknown_serial",
            CaseKind::Exhausted => "exhausted",
            CaseKind::Unheard => "unacknowledged",
            CaseKind::NotSent => "not_sent",
            CaseKind::Unreadable => "unreadable",
        }
    }
}

/// One case; a repeat of the same is the same case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// `-` if no account is known.
    pub account_id: String,
    /// The order's id, or the serial number that nobody knows.
    pub order_id: String,
    pub kind: CaseKind,
    /// At most 190 characters.
    pub detail: String,
}

/// The end of what the core opened itself for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub account_id: String,
    pub order_id: String,
    /// One of [`CLOSERS`].
    pub by: &'static str,
}

/// A detail cut to its column: at most 190 characters.
pub fn detail(text: &str) -> String {
    text.chars().take(190).collect()
}

/// Opens a case that no order's move comes with, in a transaction of its own,
/// signed like every other. It is one insert: what fails is undone by the server.
pub async fn open(pool: &Pool, schemas: &Schemas, key: &Secret, case: Case) -> anyhow::Result<()> {
    let journal = Journal {
        cases: vec![case],
        ..Journal::default()
    };
    let mut conn = pool.get_conn().await?;
    conn.query_drop("START TRANSACTION").await?;
    conn.query_drop(journal.commit_sql(schemas, key, now_us())?)
        .await?;
    Ok(())
}

/// A word of a channel's cut to its column: ASCII, at most 32 characters.
pub fn storable(word: &str) -> String {
    word.chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .take(32)
        .collect()
}
