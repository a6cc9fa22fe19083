//! GTID events: a transaction begins, or the position is adopted from a file's beginning.

use crate::binlog::transactions::{GroupingStep, OpenTransaction, TransactionGrouper};
use crate::stream::gtid::{Gtid, GtidSet};
use crate::stream::mysql_gtids::{MySqlGtids, MySqlSource};
use anyhow::bail;
use mysql_async::binlog::events::{Event, EventData};
use mysql_cdc::events::event_header::EventHeader;
use mysql_cdc::providers::mariadb::events::gtid_event::GtidEvent;
use mysql_cdc::providers::mariadb::events::gtid_list_event::GtidListEvent;
use mysql_cdc::providers::mariadb::gtid::gtid_list::GtidList;
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
                source: MySqlSource {
                    uuid: gtid.sid(),
                    tag: gtid.tag().map_or("", |tag| tag.as_str()).into(),
                },
                number: gtid.gno(),
            },
            false,
        )
    }

    fn begin(&mut self, gtid: Gtid, begun: bool) -> anyhow::Result<GroupingStep> {
        if let Some(open) = &self.open {
            bail!("transaction {} has no end", open.gtid.render());
        }
        self.open = Some(OpenTransaction::of(gtid, begun));
        Ok(GroupingStep::Nothing)
    }

    pub(super) fn adopt_mariadb(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        if std::mem::take(&mut self.adopt) {
            let list = GtidListEvent::parse(&mut Cursor::new(event.data()))
                .map_err(|e| anyhow::anyhow!("GTID list: {e:?}"))?;
            // One entry for each server that ever wrote in a domain, the latest last: that
            // one alone is where the domain is.
            let mut last = GtidList { gtids: Vec::new() };
            for gtid in list.gtid_list.gtids {
                last.add_gtid(gtid);
            }
            self.position = GtidSet::MariaDb(last);
        }
        Ok(GroupingStep::Nothing)
    }

    pub(super) fn adopt_mysql(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        if std::mem::take(&mut self.adopt) {
            let Some(EventData::PreviousGtidsEvent(list)) = event.read_data()? else {
                bail!("previous GTIDs can't be read")
            };
            let mut set = MySqlGtids::default();
            for sid in list.sids() {
                let source = MySqlSource {
                    uuid: sid.uuid(),
                    tag: sid.tag().map_or("", |tag| tag.as_str()).into(),
                };
                for interval in sid.intervals() {
                    // On the wire the end is exclusive.
                    let last = interval.end().saturating_sub(1);
                    if interval.start() > last {
                        bail!("previous GTIDs have an empty interval");
                    }
                    set.add_interval(&source, interval.start(), last);
                }
            }
            self.position = GtidSet::MySql(set);
        }
        Ok(GroupingStep::Nothing)
    }
}
