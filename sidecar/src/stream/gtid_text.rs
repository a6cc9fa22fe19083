//! GTIDs as text; mysql_cdc's parsers panic on malformed text, so its shape is checked before.

pub fn maria_parts(text: &str) -> Option<(u32, u64)> {
    let mut parts = text.split('-');
    let (domain, server, sequence) = (parts.next()?, parts.next()?, parts.next()?);
    server.parse::<u32>().ok()?;
    let parsed = (domain.parse().ok()?, sequence.parse().ok()?);
    parts.next().is_none().then_some(parsed)
}

pub fn is_maria_list(text: &str) -> bool {
    maria_parts(text).is_some()
}
