//! Checksums of events.

use anyhow::bail;
use mysql_async::binlog::BinlogChecksumAlg;
use mysql_async::binlog::events::Event;

/// Verifies an event, as mysql_async does not. Events inside a compressed payload have none.
pub fn verify(event: &Event) -> anyhow::Result<()> {
    let crc =
        event.footer().get_checksum_alg() == Ok(Some(BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32));
    let carries = !matches!(event.header().event_type_raw(), 4 | 15 | 27 | 41);
    if !crc || !carries || !event.footer().get_checksum_enabled() {
        return Ok(());
    }
    let found = event.checksum().map(u32::from_le_bytes);
    let made = event.calc_checksum(BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32);
    if found != Some(made) {
        bail!(
            "event of type {} has a wrong checksum",
            event.header().event_type_raw()
        );
    }
    Ok(())
}
