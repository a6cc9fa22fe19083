//! Binlog events to transactions. Nothing is skipped that might carry rows of a
//! watched table: what can't be read is an error, and the stream stops before it.
//! What changed a watched table without any rows, and can be named, is handed over
//! as unlogged.

use crate::binlog::required_position::{RequiredPosition, is_required};
use crate::binlog::statement::{self, leaves_rows, verb};
use crate::binlog::watched_tables::WatchedTables;
use crate::stream::batches::{ControlRow, UnloggedChange, WatchedTransaction};
use crate::stream::change::{ChangeOp, ChangeTransaction, RowChange};
use crate::stream::gtid::{Flavour, Gtid, GtidSet};
use anyhow::{Context, bail};
use mysql_async::binlog::events::{
    Event, EventData, ExecuteLoadQueryEvent, QueryEvent, RowsEventData, TableMapEvent,
};
use mysql_async::binlog::{BinlogChecksumAlg, EventFlags, EventType};
use mysql_cdc::events::event_header::EventHeader;
use mysql_cdc::providers::mariadb::events::gtid_event::GtidEvent;
use mysql_cdc::providers::mariadb::events::gtid_list_event::GtidListEvent;
use mysql_cdc::providers::mysql::events::prev_gtids_event::PreviousGtidsEvent;
use std::io::Cursor;
use std::sync::Arc;

/// Row changes of one transaction that are held in memory, about 2 GB. A larger
/// one is a manual mass change; it makes the sidecar blind, not dead.
const MAX_CHANGES_PER_TRANSACTION: usize = 2_000_000;

// MariaDB's events that mysql_common does not know.
const MARIADB_ANNOTATE_ROWS: u8 = 160;
const MARIADB_BINLOG_CHECKPOINT: u8 = 161;
const MARIADB_GTID: u8 = 162;
const MARIADB_GTID_LIST: u8 = 163;
const MARIADB_START_ENCRYPTION: u8 = 164;
const MARIADB_COMPRESSED: std::ops::RangeInclusive<u8> = 165..=171;
/// MySQL's heartbeat of version 2.
const MYSQL_HEARTBEAT_V2: u8 = 41;
/// A MariaDB group of one statement: no COMMIT follows.
const MARIADB_STANDALONE_FLAG: u8 = 1;

struct OpenTransaction {
    gtid: Gtid,
    /// Ends with XID or COMMIT; otherwise with its only statement.
    begun: bool,
    changes: Vec<Arc<RowChange>>,
    control_rows: Vec<ControlRow>,
    unlogged: Vec<UnloggedChange>,
}

/// What an event did.
#[derive(Debug)]
pub enum GroupingStep {
    Nothing,
    /// The server has nothing more for now.
    Idle,
    /// A transaction ended; with watched rows it is an item.
    Ended(Option<WatchedTransaction>),
}

/// Groups one stream's events by transaction.
pub struct TransactionGrouper {
    watch: WatchedTables,
    flavour: Flavour,
    /// Before every position of this stream, if there are several servers.
    prefix: String,
    position: GtidSet,
    required_position: RequiredPosition,
    /// The stream began at a file's start: its list of earlier GTIDs is where we are.
    adopt: bool,
    open: Option<OpenTransaction>,
}

impl TransactionGrouper {
    pub fn new(watch: WatchedTables, flavour: Flavour, position: GtidSet) -> Self {
        let required_position = RequiredPosition::from(&position);
        TransactionGrouper {
            watch,
            flavour,
            prefix: String::new(),
            position,
            required_position,
            adopt: false,
            open: None,
        }
    }

    /// One of several servers: it has only what `watch` says, and its positions begin
    /// with its name, so that they are no other server's. The first has none.
    pub fn of_server(&mut self, name: &str, watch: WatchedTables) {
        self.watch = watch;
        self.prefix = if name.is_empty() {
            String::new()
        } else {
            format!("{name}/")
        };
    }

    /// Everything up to here was grouped.
    pub fn position(&self) -> &GtidSet {
        &self.position
    }

    /// What a server that takes over must have.
    pub fn required_position(&self) -> anyhow::Result<GtidSet> {
        self.required_position.of(self.flavour, &self.position)
    }

    /// Reads once more what nobody relies on.
    pub fn rewind_to(&mut self, required_position: GtidSet) {
        self.required_position = RequiredPosition::from(&required_position);
        self.position = required_position;
    }

    /// A new connection: what was half read comes again.
    pub fn restart(&mut self, adopt: bool) {
        self.open = None;
        self.adopt = adopt;
    }

    pub fn apply(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        verify(event)?;
        let raw = event.header().event_type_raw();
        match raw {
            MARIADB_GTID => return self.begin_mariadb(event),
            MARIADB_GTID_LIST => return self.adopt_mariadb(event),
            MARIADB_ANNOTATE_ROWS | MARIADB_BINLOG_CHECKPOINT | MARIADB_START_ENCRYPTION => {
                return Ok(GroupingStep::Nothing);
            }
            MYSQL_HEARTBEAT_V2 => return Ok(GroupingStep::Idle),
            kind if MARIADB_COMPRESSED.contains(&kind) => {
                bail!(
                    "event type {kind} is compressed and can't be decoded; SET GLOBAL log_bin_compress = OFF"
                )
            }
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
            Err(_) => bail!("event type {raw} is unknown and may carry rows"),
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
            GTID_EVENT => self.begin_mysql(event),
            QUERY_EVENT => self.query(event),
            EXECUTE_LOAD_QUERY_EVENT => self.load(event),
            HEARTBEAT_EVENT => Ok(GroupingStep::Idle),
            PREVIOUS_GTIDS_EVENT => self.adopt_mysql(event),
            XA_PREPARE_LOG_EVENT => self.discard("an XA transaction"),
            // Inner events follow; this proves that the payload could be opened.
            TRANSACTION_PAYLOAD_EVENT => event.read_data().map(|_| GroupingStep::Nothing).context("compressed transaction"),
            FORMAT_DESCRIPTION_EVENT
            | ROTATE_EVENT
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
            GTID_TAGGED_LOG_EVENT => bail!("a tagged GTID (MySQL 8.4) can't be tracked; don't use tags"),
            INCIDENT_EVENT => bail!("the server reports an incident: changes may be missing from its binlog"),
            other => bail!("event {other:?} may carry rows of a watched table"),
        }
    }

    fn begin_mariadb(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
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

    fn begin_mysql(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
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

    fn adopt_mariadb(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        if std::mem::take(&mut self.adopt) {
            let list = GtidListEvent::parse(&mut Cursor::new(event.data()));
            self.position = GtidSet::MariaDb(
                list.map_err(|e| anyhow::anyhow!("GTID list: {e:?}"))?
                    .gtid_list,
            );
        }
        Ok(GroupingStep::Nothing)
    }

    fn adopt_mysql(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        if std::mem::take(&mut self.adopt) {
            let set = PreviousGtidsEvent::parse(&mut Cursor::new(event.data()));
            self.position = GtidSet::MySql(
                set.map_err(|e| anyhow::anyhow!("previous GTIDs: {e:?}"))?
                    .gtid_set,
            );
        }
        Ok(GroupingStep::Nothing)
    }

    fn query(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let query: QueryEvent<'_> = event.read_event()?;
        self.statement(&query.schema(), &query.query())
    }

    /// `LOAD DATA` where rows are not logged: the file came in pieces before it.
    fn load(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let query: ExecuteLoadQueryEvent<'_> = event.read_event()?;
        self.statement(&query.schema(), &query.query())
    }

    fn statement(&mut self, schema: &str, text: &str) -> anyhow::Result<GroupingStep> {
        // What MariaDB sends instead of an event that it thinks we don't know. A person's
        // comment of those words has a statement on the next line.
        if text.starts_with("# Dummy") && !text.contains('\n') {
            return Ok(GroupingStep::Nothing);
        }
        let verb = verb(text);
        let begun = self.open.as_ref().is_some_and(|open| open.begun);
        match verb.as_str() {
            "BEGIN" | "XA START" | "XA BEGIN" => {
                self.open.iter_mut().for_each(|open| open.begun = true);
                Ok(GroupingStep::Nothing)
            }
            "COMMIT" | "XA COMMIT" => self.end(),
            "ROLLBACK" => self.rolled_back(),
            "ROLLBACK TO" => self
                .refuse("a rollback to a savepoint")
                .map(|()| GroupingStep::Nothing),
            "SAVEPOINT" | "RELEASE" | "XA END" | "XA PREPARE" => Ok(GroupingStep::Nothing),
            "XA ROLLBACK" => self.rolled_back(),
            // Everything else that names a watched schema must be known to be
            // harmless: rows that it changes or removes are not in the binlog.
            _ if !leaves_rows(&self.watch, schema, text) => {
                self.unlogged(text)?;
                self.end_unless(begun)
            }
            _ => self.end_unless(begun),
        }
    }

    /// The stream goes on after it: what the change was is lost, that it was is told.
    fn unlogged(&mut self, statement: &str) -> anyhow::Result<()> {
        let Some(open) = &mut self.open else {
            bail!("a statement on a watched schema came outside a transaction")
        };
        statement::note_unlogged(&self.watch, statement, &mut open.unlogged);
        Ok(())
    }

    fn end_unless(&mut self, begun: bool) -> anyhow::Result<GroupingStep> {
        if begun {
            Ok(GroupingStep::Nothing)
        } else {
            self.end()
        }
    }

    fn rolled_back(&mut self) -> anyhow::Result<GroupingStep> {
        // Written only if other engines' tables changed too; watched ones are InnoDB.
        self.open.iter_mut().for_each(|open| {
            open.changes.clear();
            open.control_rows.clear();
            open.unlogged.clear();
        });
        self.end()
    }

    fn discard(&mut self, what: &str) -> anyhow::Result<GroupingStep> {
        self.refuse(what)?;
        self.end()
    }

    fn refuse(&self, what: &str) -> anyhow::Result<()> {
        match &self.open {
            Some(open) if !open.changes.is_empty() || !open.unlogged.is_empty() => {
                bail!(
                    "transaction {}: {what} on watched tables can't be followed",
                    open.gtid.render()
                )
            }
            _ => Ok(()),
        }
    }

    fn rows(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let Some(EventData::RowsEvent(rows)) = event.read_data()? else {
            bail!("rows event can't be read")
        };
        if rows.rows_data().is_empty() {
            return Ok(GroupingStep::Nothing);
        }
        let id = rows.table_id();
        let plan = self
            .watch
            .plan(id)
            .ok_or_else(|| anyhow::anyhow!("rows of table id {id} came without a table map"))?;
        let Some(plan) = plan else {
            return Ok(GroupingStep::Nothing);
        };
        let Some(open) = &mut self.open else {
            bail!("rows of {} came outside a transaction", plan.table.name)
        };
        let all = |bits: Option<bool>| bits.unwrap_or(true);
        let before = rows.columns_before_image().map(|bits| bits.all());
        let after = rows.columns_after_image().map(|bits| bits.all());
        let partial = matches!(rows, RowsEventData::PartialUpdateRowsEvent(_));
        if partial || !all(before) || !all(after) || rows.num_columns() != plan.columns.len() as u64
        {
            bail!(
                "rows of {} are incomplete; SET GLOBAL binlog_row_image = 'FULL'",
                plan.table.name
            );
        }
        let op = match (before, after) {
            (None, _) => ChangeOp::Insert,
            (Some(_), None) => ChangeOp::Delete,
            (Some(_), Some(_)) => ChangeOp::Update,
        };
        let mut data = rows.rows_data();
        while !data.is_empty() {
            let before = before.map(|_| plan.image(&mut data)).transpose()?;
            let after = after.map(|_| plan.image(&mut data)).transpose()?;
            let change = RowChange {
                table: Arc::clone(&plan.table),
                op,
                before,
                after,
            };
            open.control_rows.extend(plan.control_row(&change));
            open.changes.push(Arc::new(change));
        }
        if open.changes.len() > MAX_CHANGES_PER_TRANSACTION {
            bail!(
                "transaction {} changes more than {MAX_CHANGES_PER_TRANSACTION} watched rows",
                open.gtid.render()
            );
        }
        Ok(GroupingStep::Nothing)
    }

    fn end(&mut self) -> anyhow::Result<GroupingStep> {
        let Some(open) = self.open.take() else {
            bail!("a {:?} transaction without GTID ended", self.flavour)
        };
        self.position.add(&open.gtid)?;
        let heavy = open
            .changes
            .iter()
            .any(|change| is_required(&change.table.name))
            || !open.unlogged.is_empty();
        self.required_position.read(&open.gtid, heavy);
        if open.changes.is_empty() && open.unlogged.is_empty() {
            return Ok(GroupingStep::Ended(None));
        }
        let position = format!("{}{}", self.prefix, open.gtid.render()).into();
        let transaction = Arc::new(ChangeTransaction {
            position,
            changes: open.changes,
        });
        Ok(GroupingStep::Ended(Some(WatchedTransaction {
            transaction,
            control_rows: open.control_rows,
            unlogged: open.unlogged,
        })))
    }
}

/// mysql_async does not verify checksums. Events inside a compressed payload have none.
fn verify(event: &Event) -> anyhow::Result<()> {
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
