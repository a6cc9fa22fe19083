//! Streams as servers seldom send them: groups without an end, prepared transactions, events
//! of another time. Made by hand, byte by byte.

use super::*;
use mysql_async::binlog::BinlogVersion;
use mysql_async::binlog::events::{Event, FormatDescriptionEvent};
use sluice_contract::schema::Schemas;

const QUERY: u8 = 2;
const FORMAT: u8 = 15;
const XID: u8 = 16;
const TABLE_MAP: u8 = 19;
const WRITE_ROWS: u8 = 23;
const INCIDENT: u8 = 26;
const XA_PREPARE: u8 = 38;
const MARIADB_GTID: u8 = 162;
const COMPRESSED_QUERY: u8 = 165;
const COMPRESSED_ROWS: u8 = 166;

fn grouper() -> TransactionGrouper {
    TransactionGrouper::new(
        WatchedTables::new(&Schemas::under("t").unwrap()),
        Flavour::MariaDb,
        GtidSet::parse(Flavour::MariaDb, "").unwrap(),
    )
}

fn event(kind: u8, body: &[u8]) -> Event {
    let size = u32::try_from(19 + body.len()).unwrap();
    let mut bytes = vec![0; 4];
    bytes.push(kind);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    Event::read(
        &FormatDescriptionEvent::new(BinlogVersion::Version4),
        &bytes[..],
    )
    .unwrap()
}

fn gtid(sequence: u64) -> Event {
    let mut body = sequence.to_le_bytes().to_vec();
    body.extend([0; 11]);
    event(MARIADB_GTID, &body)
}

fn query(text: &str) -> Event {
    let mut body = vec![0; 14];
    body.extend(text.as_bytes());
    event(QUERY, &body)
}

fn table_map(id: u8, schema: &str, table: &str, columns: u8) -> Event {
    let mut body = vec![id, 0, 0, 0, 0, 0, 0, 0];
    for name in [schema, table] {
        body.push(u8::try_from(name.len()).unwrap());
        body.extend(name.as_bytes());
        body.push(0);
    }
    body.push(columns);
    body.extend(vec![3; usize::from(columns)]);
    body.extend([0, 0]);
    event(TABLE_MAP, &body)
}

/// One row of one whole number.
fn rows(kind: u8, id: u8) -> Event {
    event(kind, &[id, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 7, 0, 0, 0])
}

/// The beginning of a file, which a server writes that was started at `created`.
fn format(created: u32) -> Event {
    let mut body = 4_u16.to_le_bytes().to_vec();
    let mut version = b"10.11.2-MariaDB".to_vec();
    version.resize(50, 0);
    body.extend(version);
    body.extend(created.to_le_bytes());
    body.push(19);
    body.extend([0; 171]);
    // Kind of checksum, and the checksum.
    body.extend([0; 5]);
    event(FORMAT, &body)
}

/// Takes all events; each transaction that ended, with the texts of what was changed unseen.
fn read(grouper: &mut TransactionGrouper, events: &[Event]) -> Vec<(String, Vec<String>)> {
    let mut ended = Vec::new();
    for event in events {
        if let GroupingStep::Ended(Some(item)) = grouper.apply(event).unwrap() {
            let unlogged = item.unlogged.into_iter().map(|u| u.text);
            ended.push((item.transaction.position.to_string(), unlogged.collect()));
        }
    }
    ended
}

fn end() -> Event {
    event(XID, &[0; 8])
}

#[test]
fn a_group_whose_server_was_killed_is_rolled_back() {
    let mut grouper = grouper();
    let deleted = query("DELETE FROM t_balance.balance");
    let events = [gtid(1), deleted, format(0), format(77), gtid(2), end()];
    // A file that only goes on ends nothing.
    assert!(read(&mut grouper, &events[..3]).is_empty());
    assert!(grouper.apply(&gtid(9)).is_err());
    assert!(read(&mut grouper, &events[3..]).is_empty());
    assert_eq!(grouper.position().render(), "0-1-2");
}

#[test]
fn what_cant_be_read_is_told_and_reading_goes_on() {
    let mut grouper = grouper();
    let events = [
        event(INCIDENT, &[1, 0, 0]),
        gtid(1),
        end(),
        gtid(2),
        event(200, &[1, 2, 3]),
        end(),
        gtid(3),
        table_map(7, "t_guard", "fence_token", 1),
        rows(WRITE_ROWS, 7),
        end(),
        gtid(4),
        table_map(7, "t_guard", "fence_token", 1),
        rows(COMPRESSED_ROWS, 7),
        end(),
        gtid(5),
        event(COMPRESSED_QUERY, &[0; 20]),
        end(),
    ];
    let told = read(&mut grouper, &events);
    let want = [
        ("0-1-1", "incident"),
        ("0-1-2", "event type 200"),
        ("0-1-3", "binlog_row_metadata"),
        ("0-1-4", "log_bin_compress"),
        ("0-1-5", "compressed statement"),
    ];
    assert_eq!(told.len(), want.len(), "{told:?}");
    for ((position, texts), (at, part)) in told.iter().zip(want) {
        assert_eq!(position, at);
        assert!(texts.len() == 1 && texts[0].contains(part), "{texts:?}");
    }
}

#[test]
fn what_is_of_others_is_passed_whatever_it_is() {
    let mut grouper = grouper();
    // More columns than types: nobody can parse it, but its name is there.
    let mut odd = vec![8, 0, 0, 0, 0, 0, 0, 0, 5];
    odd.extend(b"other\0\x03odd\0\xfc");
    let events = [
        gtid(1),
        table_map(7, "other", "doc", 1),
        rows(WRITE_ROWS, 7),
        rows(COMPRESSED_ROWS, 7),
        event(TABLE_MAP, &odd),
        rows(WRITE_ROWS, 8),
        query("SAVEPOINT a"),
        query("ROLLBACK TO a"),
        query("ROLLBACK TO gone"),
        end(),
    ];
    assert!(read(&mut grouper, &events).is_empty());
}

/// The body of an XA event for `X'78',X'',1`.
fn prepare(one_phase: u8) -> Event {
    let mut body = vec![one_phase];
    for number in [1_u32, 1, 0] {
        body.extend(number.to_le_bytes());
    }
    body.push(b'x');
    event(XA_PREPARE, &body)
}

#[test]
fn xa_is_told_at_its_end() {
    let changed = || query("DELETE FROM t_balance.balance");
    let (commit, rollback) = ("XA COMMIT X'78',X'',1", "XA ROLLBACK X'78',X'',1");
    for (statement, want) in [(commit, vec!["0-1-2"]), (rollback, vec![])] {
        let mut grouper = grouper();
        let prepared = [
            gtid(1),
            query("XA START X'78',X'',1"),
            changed(),
            prepare(0),
        ];
        assert!(read(&mut grouper, &prepared).is_empty());
        assert_eq!(grouper.needs_from().as_deref(), Some("0-1-1"));
        assert_eq!(grouper.position().render(), "0-1-1");
        // Another connection: it goes on after what was prepared.
        grouper.restart(false);
        let told = read(&mut grouper, &[gtid(2), query(statement)]);
        let at: Vec<&str> = told.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(at, want, "{statement}");
        assert_eq!(grouper.needs_from(), None);
    }
    let mut grouper = grouper();
    let one_phase = [
        gtid(1),
        query("XA START X'78',X'',1"),
        changed(),
        prepare(1),
    ];
    assert_eq!(read(&mut grouper, &one_phase).len(), 1);
    // Of others, or prepared before anything was read.
    let of_others = [gtid(2), query("XA START X'78',X'',1"), prepare(0)];
    assert!(read(&mut grouper, &of_others).is_empty());
    assert_eq!(grouper.needs_from(), None);
    assert!(read(&mut grouper, &[gtid(3), query(commit)]).is_empty());
}
