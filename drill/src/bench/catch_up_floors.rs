//! Floors of the catch-up: the binlog's bytes off the socket with nothing decoded, and the same
//! bytes decoded into whole transactions with nothing judged. Whatever reads this binlog does
//! both, so that no reader can be faster than either.

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use mysql_async::Row;
use mysql_async::binlog::EventType;
use mysql_async::binlog::events::{Event, EventData};
use mysql_async::prelude::Queryable;
use serde::Serialize;
use sluice_contract::schema::Schemas;
use sluice_sidecar::binlog::preflight;
use sluice_sidecar::binlog::transactions::{GroupingStep, TransactionGrouper};
use sluice_sidecar::binlog::watched_tables::WatchedTables;
use sluice_sidecar::stream::gtid::{Flavour, GtidSet};
use sluice_sidecar::stream::position::StartPosition;
use std::time::{Duration, Instant};

/// Id under which the floor follows the server, beside the sidecar's.
const SERVER_ID: u32 = 991;
/// Most of a binlog that is kept in memory, in bytes.
const MAX_KEPT_BYTES: u64 = 4 << 30;

/// Speed of reading and of decoding a binlog, in row changes of watched tables per second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CatchUpFloors {
    /// Bytes off the socket.
    pub read_rows_per_s: u64,
    pub read_mb_per_s: u64,
    /// Decoding and grouping by transaction, on one thread.
    pub decode_rows_per_s: u64,
    pub rows: u64,
}

/// Reads the server's binlogs from the first on to where they end now.
///
/// # Errors
/// The server's, or what can't be decoded.
pub async fn measure(url: &str, schemas: &Schemas) -> anyhow::Result<CatchUpFloors> {
    let (events, bytes, read) = read(url).await?;
    let begun = Instant::now();
    let position = GtidSet::parse(Flavour::MariaDb, "")?;
    let watch = WatchedTables::new(schemas);
    let mut grouper = TransactionGrouper::new(watch, Flavour::MariaDb, position);
    let mut rows = 0;
    for event in &events {
        if let GroupingStep::Ended(Some(item)) = grouper.apply(event)? {
            rows += std::hint::black_box(item).transaction.changes.len() as u64;
        }
    }
    let decode = begun.elapsed();
    let per_s = |count: u64, time: Duration| {
        u64::try_from(u128::from(count) * 1_000 / time.as_millis().max(1))
    };
    Ok(CatchUpFloors {
        read_rows_per_s: per_s(rows, read)?,
        read_mb_per_s: per_s(bytes, read)? >> 20,
        decode_rows_per_s: per_s(rows, decode)?,
        rows,
    })
}

/// All events, their bytes, and the time from the first to the last.
async fn read(url: &str) -> anyhow::Result<(Vec<Event>, u64, Duration)> {
    let mut conn = sluice_contract::sql::connect(url).await?;
    let end: Option<Row> = conn.query_first("SHOW MASTER STATUS").await?;
    let end = end.context("the server has no binlog")?;
    let (end_file, end_position): (String, u64) =
        (end.get(0).context("file")?, end.get(1).context("position")?);
    let position = GtidSet::parse(Flavour::MariaDb, "")?;
    let opened = preflight::open(
        url,
        SERVER_ID,
        Flavour::MariaDb,
        &position,
        StartPosition::Oldest,
    );
    let mut stream = opened.await?.stream;
    let (mut events, mut bytes, mut file) = (Vec::new(), 0, String::new());
    let mut begun = None;
    while let Some(event) = stream.next().await {
        let event = event?;
        let begun = *begun.get_or_insert_with(Instant::now);
        bytes += u64::from(event.header().event_size());
        ensure!(bytes <= MAX_KEPT_BYTES, "the binlog has more than 4 GiB");
        let place = u64::from(event.header().log_pos());
        if event.header().event_type() == Ok(EventType::ROTATE_EVENT)
            && let Some(EventData::RotateEvent(rotate)) = event.read_data()?
        {
            // The name may carry the event's checksum behind it.
            file = rotate.name().into_owned();
        }
        events.push(event);
        if file.starts_with(&end_file) && place >= end_position {
            return Ok((events, bytes, begun.elapsed()));
        }
    }
    anyhow::bail!("the stream ended before {end_file}, {end_position}")
}
