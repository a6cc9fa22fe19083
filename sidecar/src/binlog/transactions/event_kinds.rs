//! Kinds of binlog events, and which of them are grouped, passed over or refused.

use crate::binlog::transactions::checksum;
use crate::binlog::transactions::{GroupingStep, TransactionGrouper};
use anyhow::{Context, bail};
use mysql_async::binlog::events::{Event, FormatDescriptionEvent, TableMapEvent};
use mysql_async::binlog::{EventFlags, EventType};

// MariaDB's events that mysql_common does not know.
const MARIADB_ANNOTATE_ROWS: u8 = 160;
const MARIADB_BINLOG_CHECKPOINT: u8 = 161;
const MARIADB_GTID: u8 = 162;
const MARIADB_GTID_LIST: u8 = 163;
const MARIADB_START_ENCRYPTION: u8 = 164;
const MARIADB_COMPRESSED_QUERY: u8 = 165;
const MARIADB_COMPRESSED_ROWS: std::ops::RangeInclusive<u8> = 166..=171;
/// MySQL's heartbeat of version 2.
const MYSQL_HEARTBEAT_V2: u8 = 41;
impl TransactionGrouper {
    /// Takes the stream's next event.
    ///
    /// # Errors
    /// A stream that can't be read: it stops before the event. Rows that can't be are told as
    /// changed unseen, and it goes on.
    pub fn apply(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        checksum::verify(event)?;
        let raw = event.header().event_type_raw();
        match raw {
            MARIADB_GTID => return self.begin_mariadb(event),
            MARIADB_GTID_LIST => return self.adopt_mariadb(event),
            MARIADB_ANNOTATE_ROWS | MARIADB_BINLOG_CHECKPOINT | MARIADB_START_ENCRYPTION => {
                return Ok(GroupingStep::Nothing);
            }
            MYSQL_HEARTBEAT_V2 => return Ok(GroupingStep::Idle),
            MARIADB_COMPRESSED_QUERY => return self.compressed_statement(),
            kind if MARIADB_COMPRESSED_ROWS.contains(&kind) => return self.compressed_rows(event),
            _ => {}
        }
        match event.header().event_type() {
            Ok(kind) => self.known(kind, event),
            Err(_)
                if event
                    .header()
                    .flags()
                    .contains(EventFlags::LOG_EVENT_IGNORABLE_F) =>
            {
                Ok(GroupingStep::Nothing)
            }
            Err(_) => {
                self.changed_unseen(&format!("event type {raw} is unknown and may carry rows"));
                Ok(GroupingStep::Nothing)
            }
        }
    }

    fn known(&mut self, kind: EventType, event: &Event) -> anyhow::Result<GroupingStep> {
        use EventType::*;
        match kind {
            TABLE_MAP_EVENT => {
                let parse = || event.read_event::<TableMapEvent<'_>>().map(TableMapEvent::into_owned);
                self.watch.learn(event.data(), parse)?;
                Ok(GroupingStep::Nothing)
            }
            WRITE_ROWS_EVENT_V1
            | UPDATE_ROWS_EVENT_V1
            | DELETE_ROWS_EVENT_V1
            | WRITE_ROWS_EVENT
            | UPDATE_ROWS_EVENT
            | DELETE_ROWS_EVENT
            | PARTIAL_UPDATE_ROWS_EVENT => self.rows(event),
            XID_EVENT => self.end(),
            GTID_EVENT | GTID_TAGGED_LOG_EVENT => self.begin_mysql(event),
            QUERY_EVENT => self.query(event),
            EXECUTE_LOAD_QUERY_EVENT => self.load(event),
            HEARTBEAT_EVENT => Ok(GroupingStep::Idle),
            PREVIOUS_GTIDS_EVENT => self.adopt_mysql(event),
            XA_PREPARE_LOG_EVENT => self.xa_prepared(event),
            FORMAT_DESCRIPTION_EVENT => {
                let description: FormatDescriptionEvent<'_> = event.read_event()?;
                // Zero where a file only goes on, or is sent again from its middle.
                if description.create_timestamp() != 0 {
                    self.server_started();
                }
                Ok(GroupingStep::Nothing)
            }
            // Inner events follow; this proves that the payload could be opened.
            TRANSACTION_PAYLOAD_EVENT => event.read_data().map(|_| GroupingStep::Nothing).context("compressed transaction"),
            ROTATE_EVENT
            | STOP_EVENT
            | ROWS_QUERY_EVENT
            | IGNORABLE_EVENT
            | INTVAR_EVENT
            | RAND_EVENT
            | USER_VAR_EVENT
            | TRANSACTION_CONTEXT_EVENT
            | VIEW_CHANGE_EVENT
            // Pieces of a file that EXECUTE_LOAD_QUERY_EVENT loads, or gives up.
            | BEGIN_LOAD_QUERY_EVENT
            | APPEND_BLOCK_EVENT
            | DELETE_FILE_EVENT => Ok(GroupingStep::Nothing),
            ANONYMOUS_GTID_EVENT => bail!("a transaction without GTID; SET GLOBAL gtid_mode = ON"),
            INCIDENT_EVENT => {
                self.changed_unseen("the server reports an incident: changes may be missing from its binlog");
                Ok(GroupingStep::Nothing)
            }
            other => {
                self.changed_unseen(&format!("event {other:?} may carry rows of a watched table"));
                Ok(GroupingStep::Nothing)
            }
        }
    }
}
