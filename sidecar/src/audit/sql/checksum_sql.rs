//! SQL of checksums per account: the exclusive or of the CRC-32 of every row's words.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Payments or orders of accounts that are read row by row.
pub const MAX_DETAIL_ROWS: usize = 200_000;

/// An account, its checksums, and how many rows they are of.
pub type AccountChecksums = (String, [u64; 3], u64);

pub(super) async fn checksums(
    conn: &mut Conn,
    sql: String,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    type Row = (String, u64, u64, u64, u64);
    conn.query_map(sql, |(account, one, two, three, rows): Row| {
        (account, [one, two, three], rows)
    })
    .await
}

fn crc(words: &str) -> String {
    format!("CRC32(CONCAT_WS(':',{words}))")
}

pub(super) fn checksum(words: &str, only: &str) -> String {
    format!("BIT_XOR(IF({only},{},0))", crc(words))
}
