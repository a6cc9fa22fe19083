//! GTIDs as text; mysql_cdc's parsers panic on malformed text, so its shape is checked before.

pub fn maria_parts(text: &str) -> Option<(u32, u64)> {
    let mut parts = text.split('-');
    let (domain, server, sequence) = (parts.next()?, parts.next()?, parts.next()?);
    server.parse::<u32>().ok()?;
    let parsed = (domain.parse().ok()?, sequence.parse().ok()?);
    parts.next().is_none().then_some(parsed)
}

pub fn mysql_parts(text: &str) -> Option<(&str, u64)> {
    let (source, number) = text.split_once(':')?;
    Some((source, number.parse().ok()?))
}

pub fn is_maria_list(text: &str) -> bool {
    maria_parts(text).is_some()
}

/// `uuid:1-5:7`; MySQL 8.4's tagged GTIDs are refused.
pub fn is_mysql_set(text: &str) -> bool {
    let mut parts = text.split(':');
    let uuid = parts.next().unwrap_or_default();
    let plain = uuid.len() == 36 && uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let hex = uuid.bytes().filter(|b| *b != b'-').count() == 32;
    let mut ranges = parts.peekable();
    plain && hex && ranges.peek().is_some() && ranges.all(is_range)
}

fn is_range(text: &str) -> bool {
    let mut ends = text.split('-');
    let start = ends.next().and_then(|s| s.parse::<u64>().ok());
    let end = ends.next().map_or(start, |e| e.parse().ok());
    ends.next().is_none() && start.is_some_and(|s| s > 0) && end >= start
}
