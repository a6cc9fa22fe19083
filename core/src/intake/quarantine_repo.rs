//! SQL of payments that are set aside.

use crate::intake::message::PaymentOffset;
use crate::intake::quarantine::{PaymentMessage, QuarantineKeys, QuarantinedPayment};
use mysql_async::Value;
use mysql_async::prelude::Queryable;
use sluice_contract::event::BUSINESS_TOPICS;
use sluice_contract::schema::Schemas;

/// Writes the rows, in one statement. One that is there already is written anew: its MAC may
/// be of a key that is gone, or nobody's.
pub(super) async fn insert(
    conn: &mut impl Queryable,
    keys: &QuarantineKeys,
    payments: &[QuarantinedPayment],
    found_us: i64,
) -> anyhow::Result<()> {
    const ROW: &str = "(?,?,?,?,?,?,?,?,?,?)";
    let rows = vec![ROW; payments.len()].join(",");
    let sql = format!(
        "INSERT INTO quarantined_payment (digest,topic,partition_no,offset_no,reason,payload,signed,\
         event_time_us,found_us,mac) VALUES {rows} ON DUPLICATE KEY UPDATE topic=VALUES(topic),\
         partition_no=VALUES(partition_no),offset_no=VALUES(offset_no),reason=VALUES(reason),\
         payload=VALUES(payload),`signed`=VALUES(`signed`),event_time_us=VALUES(event_time_us),\
         found_us=VALUES(found_us),mac=VALUES(mac)"
    );
    let mut values: Vec<Value> = Vec::new();
    for QuarantinedPayment { source, reason } in payments {
        values.extend([
            source.digest().into(),
            BUSINESS_TOPICS[0].into(),
            source.place.partition.into(),
            source.place.offset.into(),
            reason.into(),
            source.payload.as_slice().into(),
            source.signed.into(),
            source.event_time_us.into(),
            found_us.into(),
            keys.mac(source).into(),
        ]);
    }
    conn.exec_drop(sql, values).await?;
    Ok(())
}

/// A row as it is stored: nothing of it is proven before its MAC is looked at.
pub(super) struct StoredPayment {
    pub(super) digest: String,
    pub(super) source: PaymentMessage,
    pub(super) mac: String,
}

/// Reads a page behind this digest.
pub(super) async fn page(
    conn: &mut impl Queryable,
    after: &str,
    max_rows: usize,
) -> anyhow::Result<Vec<StoredPayment>> {
    let sql = format!(
        "SELECT digest,partition_no,offset_no,payload,signed,event_time_us,mac FROM quarantined_payment \
         WHERE digest>? ORDER BY digest LIMIT {max_rows}"
    );
    let stored = |(digest, partition, offset, payload, signed, event_time_us, mac)| StoredPayment {
        digest,
        source: PaymentMessage {
            place: PaymentOffset { partition, offset },
            payload,
            signed,
            event_time_us,
        },
        mac,
    };
    Ok(conn.exec_map(sql, (after,), stored).await?)
}

/// Deletes the row of a payment that is booked.
pub(super) async fn delete(conn: &mut impl Queryable, digest: &str) -> anyhow::Result<()> {
    let sql = "DELETE FROM quarantined_payment WHERE digest=?";
    Ok(conn.exec_drop(sql, (digest,)).await?)
}

/// A payment that is set aside, as people read it.
#[derive(Debug)]
pub struct QuarantinedRow {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub reason: String,
    pub payload: Vec<u8>,
    /// µs since 1970 UTC.
    pub event_time_us: i64,
    pub found_us: i64,
}

/// Reads at most `limit` rows, in no order that means anything: that of their digests.
///
/// # Errors
/// The server's.
pub async fn list(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    limit: u32,
) -> anyhow::Result<Vec<QuarantinedRow>> {
    let sql = format!(
        "SELECT topic,partition_no,offset_no,reason,payload,event_time_us,found_us FROM {}.quarantined_payment \
         ORDER BY digest LIMIT {limit}",
        schemas.orders
    );
    let row =
        |(topic, partition, offset, reason, payload, event_time_us, found_us)| QuarantinedRow {
            topic,
            partition,
            offset,
            reason,
            payload,
            event_time_us,
            found_us,
        };
    Ok(conn.query_map(sql, row).await?)
}
