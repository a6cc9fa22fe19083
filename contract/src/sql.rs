//! How both programs speak SQL: session settings, literals for multi-row
//! statements, and which errors mean "run it again".

use mysql_async::{Conn, Error, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, SslOpts};
use rust_decimal::Decimal;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Idle connections are closed after this; a firewall would do it silently.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Session settings that the money path rests on: READ COMMITTED with conditional
/// updates (REPEATABLE READ lost updates when measured), strict types, UTC, and a
/// bounded wait for locks.
const SESSION_SETTINGS_SQL: &str = "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
    time_zone='+00:00', innodb_lock_wait_timeout=10";
const ISOLATION_LEVEL_SQL: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// How long a transaction may take before its connection counts as dead: above the
/// wait for locks, so that only silence is cut off.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);
/// Probes find a peer that vanished without a word.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Options for `url` with Sluice's session settings.
pub fn options(url: &str) -> anyhow::Result<OptsBuilder> {
    options_of("mysql.url", url)
}

/// As `options`, for the setting `name`. With `?tls_ca=FILE` the connection is
/// encrypted, and the server must show a certificate of that authority for the
/// host's very name; there is no way to skip either check.
pub fn options_of(name: &str, url: &str) -> anyhow::Result<OptsBuilder> {
    let (url, authority) = authority(name, url)?;
    let opts = Opts::from_url(&url).map_err(|e| {
        // The library's message may hold the password of the URL.
        anyhow::anyhow!(
            "{name} is not a URL such as mysql://user@127.0.0.1:3306 ({})",
            kind_of(&e)
        )
    })?;
    Ok(OptsBuilder::from_opts(opts)
        .setup(vec![SESSION_SETTINGS_SQL, ISOLATION_LEVEL_SQL])
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEPALIVE_INTERVAL))
        .prefer_socket(false)
        .ssl_opts(authority)
        .stmt_cache_size(64))
}

/// The URL without `tls_ca`, which the library doesn't know, and what it asks for.
fn authority(name: &str, url: &str) -> anyhow::Result<(String, Option<SslOpts>)> {
    let Some((address, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None));
    };
    let (ours, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|p| p.starts_with("tls_ca="));
    let Some(file) = ours.first().and_then(|p| p.strip_prefix("tls_ca=")) else {
        return Ok((url.to_owned(), None));
    };
    if let Err(error) = std::fs::File::open(file) {
        anyhow::bail!(
            "{name}: tls_ca = {file}: {error}; name the PEM file of the authority that signed the server's certificate"
        );
    }
    let tls = SslOpts::default()
        .with_root_certs(vec![PathBuf::from(file).into()])
        .with_disable_built_in_roots(true);
    let rest = if others.is_empty() {
        String::new()
    } else {
        format!("?{}", others.join("&"))
    };
    Ok((format!("{address}{rest}"), Some(tls)))
}

fn kind_of(error: &mysql_async::UrlError) -> &'static str {
    match error {
        mysql_async::UrlError::UnsupportedScheme { .. } => "unsupported scheme",
        mysql_async::UrlError::Parse(_) => "not a URL",
        _ => "unsupported parameter",
    }
}

/// A pool of at most `most` connections. A connection given back in the middle of
/// a transaction is reset, which rolls back.
pub fn pool_of(options: OptsBuilder, most: usize) -> anyhow::Result<Pool> {
    let constraints = PoolConstraints::new(0, most.max(1))
        .ok_or_else(|| anyhow::anyhow!("a pool needs at least one connection"))?;
    let pool = PoolOpts::default()
        .with_constraints(constraints)
        .with_inactive_connection_ttl(IDLE_TIMEOUT);
    Ok(Pool::new(options.pool_opts(pool)))
}

pub fn pool(url: &str, most: usize) -> anyhow::Result<Pool> {
    pool_of(options(url)?, most)
}

/// A single connection outside any pool.
pub async fn connect(url: &str) -> anyhow::Result<Conn> {
    Ok(Conn::new(options(url)?).await?)
}

/// A value of a multi-row statement.
#[derive(Debug, Clone, Copy)]
pub enum SqlLiteral<'a> {
    Text(&'a str),
    Int(i64),
    Dec(Decimal),
    Null,
}

impl<'a> From<Option<&'a str>> for SqlLiteral<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(SqlLiteral::Null, SqlLiteral::Text)
    }
}

/// Appends `lit` as SQL. Text that isn't plain goes as a hexadecimal literal, so
/// that nothing depends on escaping rules or the session's SQL mode.
pub fn push_lit(sql: &mut String, lit: SqlLiteral<'_>) {
    // Writing into a String can't fail.
    let _ = match lit {
        SqlLiteral::Null => write!(sql, "NULL"),
        SqlLiteral::Int(number) => write!(sql, "{number}"),
        SqlLiteral::Dec(amount) => write!(sql, "'{amount}'"),
        SqlLiteral::Text(text) if text.bytes().all(is_plain) => write!(sql, "'{text}'"),
        SqlLiteral::Text(text) => {
            sql.push_str("_utf8mb4 0x");
            text.bytes().try_for_each(|byte| write!(sql, "{byte:02x}"))
        }
    };
}

/// Printable ASCII but for the two characters that mean something within quotes.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\'' && byte != b'\\'
}

/// Appends `(a,b,c)` with a leading comma unless it is the first row.
pub fn push_row(sql: &mut String, first: bool, row: &[SqlLiteral<'_>]) {
    sql.push_str(if first { "(" } else { ",(" });
    for (at, lit) in row.iter().enumerate() {
        if at > 0 {
            sql.push(',');
        }
        push_lit(sql, *lit);
    }
    sql.push(')');
}

/// `('a','b')` for an IN list. The caller makes sure that it isn't empty.
pub fn in_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut sql = String::from("(");
    for (at, text) in texts.enumerate() {
        if at > 0 {
            sql.push(',');
        }
        push_lit(&mut sql, SqlLiteral::Text(text));
    }
    sql.push(')');
    sql
}

/// `(('a','x'),('b','y'))` for `(one,two) IN …`: exactly these pairs, each one look-up
/// by a key that begins with both columns. Two lists side by side would make the
/// server look for every pairing (128 rows: 97 ms instead of 1 ms, MariaDB 10.11).
/// The caller makes sure that it isn't empty.
pub fn pair_list<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut sql = String::from("(");
    for (at, (one, two)) in pairs.enumerate() {
        push_row(
            &mut sql,
            at == 0,
            &[SqlLiteral::Text(one), SqlLiteral::Text(two)],
        );
    }
    sql.push(')');
    sql
}

/// Deadlock, lock wait, changed snapshot, a primary that is being switched.
pub fn is_retryable(error: &Error) -> bool {
    match error {
        Error::Server(e) => matches!(e.code, 1020 | 1205 | 1213) || e.message.contains("VT15001"),
        _ => false,
    }
}

/// A UNIQUE key refused the row.
pub fn is_duplicate(error: &Error) -> bool {
    matches!(error, Error::Server(e) if e.code == 1062)
}

/// The connection broke, or the server is going away: whether a commit took
/// place is unknown.
pub fn is_disconnect(error: &Error) -> bool {
    match error {
        Error::Server(e) => matches!(e.code, 1053 | 1927 | 1040 | 1158 | 1159 | 1160 | 1161),
        Error::Io(_) => true,
        Error::Driver(_) => true,
        _ => false,
    }
}

/// Whether the same may work a moment later: a deadlock, a broken connection, a
/// silence. Everything else fails again, whatever is tried.
pub fn is_transient(error: &anyhow::Error) -> bool {
    let server = error.downcast_ref::<Error>();
    server.is_some_and(|e| is_retryable(e) || is_disconnect(e))
        || error.is::<tokio::time::error::Elapsed>()
}

#[cfg(test)]
#[path = "sql_tests.rs"]
mod tests;
