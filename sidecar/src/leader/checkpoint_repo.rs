//! SQL of the checkpoint: one row per source, continued in further rows when the
//! position is long.

use crate::guard_rows::GuardRows;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, params};
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_row};

/// A source's row in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    pub source: String,
    pub position: String,
    pub replay_from: String,
}

/// Bytes of a position in one row. A longer one goes on in rows `source+1`, `source+2`…;
/// a part that is not full is the last, so that what an earlier, longer position left
/// behind it says nothing.
const POSITION_PART_BYTES: usize = 400;
/// Parts of a position at most: several thousand partitions.
const MAX_POSITION_PARTS: usize = 64;
/// Longest position that can be stored.
pub const MAX_POSITION_BYTES: usize = POSITION_PART_BYTES * (MAX_POSITION_PARTS - 1);

fn part_name(source: &str, part: usize) -> String {
    if part == 0 {
        source.to_owned()
    } else {
        format!("{source}+{part}")
    }
}

fn part(text: &str, part: usize) -> &str {
    // Positions are ASCII.
    text.get(part * POSITION_PART_BYTES..)
        .map_or("", |rest| rest.get(..POSITION_PART_BYTES).unwrap_or(rest))
}

/// Fields of a row as they are signed: source, position, replay_from.
fn fields<'a>(texts: [&'a str; 3], rules_hash: &'a str, updated_us: i64) -> [EffectField<'a>; 5] {
    let [source, position, replay_from] = texts.map(|text| Text(text.as_bytes()));
    let rules_hash = Text(rules_hash.as_bytes());
    [
        source,
        position,
        replay_from,
        rules_hash,
        Int(updated_us.into()),
    ]
}

/// A source's checkpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredCheckpoint {
    Missing,
    /// Somebody else than a sidecar wrote it.
    Unsigned(CheckpointRow),
    Whole(CheckpointRow),
}

/// Reads a source's position whoever wrote it.
pub async fn read_checkpoint(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
    source: &str,
) -> anyhow::Result<Option<CheckpointRow>> {
    Ok(match read_signed(conn, schemas, signed, source).await? {
        StoredCheckpoint::Missing => None,
        StoredCheckpoint::Unsigned(row) | StoredCheckpoint::Whole(row) => Some(row),
    })
}

/// Reads a source's position, and tells whether each of its rows may be obeyed.
pub async fn read_signed(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
    source: &str,
) -> anyhow::Result<StoredCheckpoint> {
    let sql = format!(
        "SELECT position, replay_from, rules_hash, updated_us, mac FROM {}.checkpoint WHERE source = :source",
        schemas.guard
    );
    let mut whole = CheckpointRow {
        source: source.to_owned(),
        position: String::new(),
        replay_from: String::new(),
    };
    let mut is_whole = true;
    for number in 0..MAX_POSITION_PARTS {
        type CheckpointColumns = (String, String, String, i64, Option<String>);
        let name = part_name(source, number);
        let row: Option<CheckpointColumns> =
            conn.exec_first(&sql, params! { "source" => &name }).await?;
        let Some((position, replay_from, rules_hash, updated_us, mac)) = row else {
            if number == 0 {
                return Ok(StoredCheckpoint::Missing);
            }
            break;
        };
        let row = fields([&name, &position, &replay_from], &rules_hash, updated_us);
        is_whole &= signed.holds("checkpoint", &row, mac.as_deref());
        let full = |text: &String| text.len() == number * POSITION_PART_BYTES;
        for (text, more) in [
            (&mut whole.position, position),
            (&mut whole.replay_from, replay_from),
        ] {
            if full(text) {
                text.push_str(&more);
            }
        }
        let goes_on = |text: &String| text.len() == (number + 1) * POSITION_PART_BYTES;
        if !goes_on(&whole.position) && !goes_on(&whole.replay_from) {
            break;
        }
    }
    Ok(match is_whole {
        true => StoredCheckpoint::Whole(whole),
        false => StoredCheckpoint::Unsigned(whole),
    })
}

/// Tells whether the stretch before a first start, or a later gap, was ever written down: then
/// a checkpoint was written with it.
pub async fn has_gap(conn: &mut Conn, schemas: &Schemas) -> mysql_async::Result<bool> {
    let sql = format!("SELECT EXISTS(SELECT 1 FROM {}.gap)", schemas.guard);
    Ok(conn.query_first(sql).await?.unwrap_or(false))
}

/// When a source's row was written last.
pub async fn committed_us(
    conn: &mut Conn,
    schemas: &Schemas,
    source: &str,
) -> mysql_async::Result<Option<i64>> {
    let sql = format!(
        "SELECT updated_us FROM {}.checkpoint WHERE source = :source",
        schemas.guard
    );
    conn.exec_first(sql, params! { source }).await
}

/// Writes all rows in one statement, with the hash of the rules and the time.
pub async fn write_checkpoint<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    signed: &GuardRows,
    (rows, rules_hash, now_us): (&[CheckpointRow], &str, i64),
) -> mysql_async::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = format!(
        "INSERT INTO {}.checkpoint (source, position, replay_from, rules_hash, updated_us, mac) VALUES ",
        schemas.guard
    );
    let mut first = true;
    for row in rows {
        let parts = row.position.len().max(row.replay_from.len()) / POSITION_PART_BYTES + 1;
        for number in 0..parts {
            let name = part_name(&row.source, number);
            let parts = [
                &name,
                part(&row.position, number),
                part(&row.replay_from, number),
            ];
            let mac = signed.mac("checkpoint", &fields(parts, rules_hash, now_us));
            let texts = parts.map(SqlLiteral::Text);
            push_row(
                &mut sql,
                first,
                &[
                    texts[0],
                    texts[1],
                    texts[2],
                    SqlLiteral::Text(rules_hash),
                    SqlLiteral::Int(now_us),
                    SqlLiteral::Text(&mac),
                ],
            );
            first = false;
        }
    }
    sql.push_str(
        " ON DUPLICATE KEY UPDATE position = VALUES(position), replay_from = VALUES(replay_from), \
         rules_hash = VALUES(rules_hash), updated_us = VALUES(updated_us), mac = VALUES(mac)",
    );
    conn.query_drop(sql).await
}
