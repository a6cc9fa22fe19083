//! SQL of the checkpoint: one row per source, continued in further rows when the
//! position is long.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, params};
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

pub async fn read_checkpoint(
    conn: &mut Conn,
    schemas: &Schemas,
    source: &str,
) -> anyhow::Result<Option<CheckpointRow>> {
    let sql = format!(
        "SELECT position, replay_from FROM {}.checkpoint WHERE source = :source",
        schemas.guard
    );
    let mut whole = CheckpointRow {
        source: source.to_owned(),
        position: String::new(),
        replay_from: String::new(),
    };
    for number in 0..MAX_POSITION_PARTS {
        let row: Option<(String, String)> = conn
            .exec_first(&sql, params! { "source" => part_name(source, number) })
            .await?;
        let Some((position, replay_from)) = row else {
            return if number == 0 {
                Ok(None)
            } else {
                Ok(Some(whole))
            };
        };
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
    Ok(Some(whole))
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

/// Writes all rows in one statement.
pub async fn write_checkpoint<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    rows: &[CheckpointRow],
    rules_hash: &str,
    now_us: i64,
) -> mysql_async::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = format!(
        "INSERT INTO {}.checkpoint (source, position, replay_from, rules_hash, updated_us) VALUES ",
        schemas.guard
    );
    let mut first = true;
    for row in rows {
        let parts = row.position.len().max(row.replay_from.len()) / POSITION_PART_BYTES + 1;
        for number in 0..parts {
            let name = part_name(&row.source, number);
            let texts = [
                &name,
                part(&row.position, number),
                part(&row.replay_from, number),
            ]
            .map(SqlLiteral::Text);
            push_row(
                &mut sql,
                first,
                &[
                    texts[0],
                    texts[1],
                    texts[2],
                    SqlLiteral::Text(rules_hash),
                    SqlLiteral::Int(now_us),
                ],
            );
            first = false;
        }
    }
    sql.push_str(
        " ON DUPLICATE KEY UPDATE position = VALUES(position), replay_from = VALUES(replay_from), \
         rules_hash = VALUES(rules_hash), updated_us = VALUES(updated_us)",
    );
    conn.query_drop(sql).await
}
