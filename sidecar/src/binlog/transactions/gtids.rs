//! GTID events: a transaction begins, or the position is adopted from a file's beginning.

use crate::binlog::transactions::{GroupingStep, OpenTransaction, TransactionGrouper};
use crate::stream::gtid::{Gtid, GtidSet};
use anyhow::bail;
use mysql_async::binlog::events::{Event, EventData};
use mysql_cdc::events::event_header::EventHeader;
use mysql_cdc::providers::mariadb::events::gtid_event::GtidEvent;
use mysql_cdc::providers::mariadb::events::gtid_list_event::GtidListEvent;
use mysql_cdc::providers::mysql::events::prev_gtids_event::PreviousGtidsEvent;
use std::io::Cursor;

/// A MariaDB group of one statement: no COMMIT follows.
const MARIADB_STANDALONE_FLAG: u8 = 1;

impl TransactionGrouper {
    pub(super) fn begin_mariadb(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let from = event.header();
        let header = EventHeader {
            timestamp: from.timestamp(),
            event_type: from.event_type_raw(),
            server_id: from.server_id(),
            event_length: from.event_size(),
            next_event_position: from.log_pos(),
            event_flags: from.flags_raw(),
        };
        let parsed = GtidEvent::parse(&mut Cursor::new(event.data()), &header);
        let parsed = parsed.map_err(|e| anyhow::anyhow!("GTID event: {e:?}"))?;
        let (domain, server, sequence) = (
            parsed.gtid.domain_id,
            parsed.gtid.server_id,
            parsed.gtid.sequence,
        );
        self.begin(
            Gtid::MariaDb {
                domain,
                server,
                sequence,
            },
            parsed.flags & MARIADB_STANDALONE_FLAG == 0,
        )
    }

    pub(super) fn begin_mysql(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let Some(EventData::GtidEvent(gtid)) = event.read_data()? else {
            bail!("GTID event can't be read")
        };
        self.begin(
            Gtid::MySql {
                source: gtid.sid(),
                number: gtid.gno(),
            },
            false,
        )
    }

    fn begin(&mut self, gtid: Gtid, begun: bool) -> anyhow::Result<GroupingStep> {
        if let Some(open) = &self.open {
            bail!("transaction {} has no end", open.gtid.render());
        }
        self.open = Some(OpenTransaction {
            gtid,
            begun,
            changes: Vec::new(),
            control_rows: Vec::new(),
            unlogged: Vec::new(),
        });
        Ok(GroupingStep::Nothing)
    }

    pub(super) fn adopt_mariadb(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        if std::mem::take(&mut self.adopt) {
            let list = GtidListEvent::parse(&mut Cursor::new(event.data()));
            self.position = GtidSet::MariaDb(
                list.map_err(|e| anyhow::anyhow!("GTID list: {e:?}"))?
                    .gtid_list,
            );
        }
        Ok(GroupingStep::Nothing)
    }

    pub(super) fn adopt_mysql(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        if std::mem::take(&mut self.adopt) {
            let set = PreviousGtidsEvent::parse(&mut Cursor::new(event.data()));
            self.position = GtidSet::MySql(
                set.map_err(|e| anyhow::anyhow!("previous GTIDs: {e:?}"))?
                    .gtid_set,
            );
        }
        Ok(GroupingStep::Nothing)
    }
}
