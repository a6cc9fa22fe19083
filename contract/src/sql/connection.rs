//! Connections: session settings, TLS, pools.

use crate::sql::session::{ISOLATION_LEVEL_SQL, LOCK_WAIT_SQL, POOL_SQL, SETTINGS_SQL};
use mysql_async::{Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, SslOpts};
use std::path::PathBuf;
use std::time::Duration;

/// Idle connections are closed after this, before the server does it, or a firewall
/// silently.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bound on a transaction, after which its connection counts as dead: above the wait for
/// locks, so that only silence is cut off.
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
        .setup(vec![SETTINGS_SQL, ISOLATION_LEVEL_SQL, LOCK_WAIT_SQL])
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

/// A pool of at most `max_connections`. A connection given back in the middle of
/// a transaction is reset, which rolls back.
pub fn pool_of(options: OptsBuilder, max_connections: usize) -> anyhow::Result<Pool> {
    let constraints = PoolConstraints::new(0, max_connections.max(1))
        .ok_or_else(|| anyhow::anyhow!("a pool needs at least one connection"))?;
    let pool = PoolOpts::default()
        .with_constraints(constraints)
        .with_inactive_connection_ttl(IDLE_TIMEOUT);
    let settings = vec![SETTINGS_SQL, ISOLATION_LEVEL_SQL, LOCK_WAIT_SQL, POOL_SQL];
    Ok(Pool::new(options.setup(settings).pool_opts(pool)))
}

pub fn pool(url: &str, max_connections: usize) -> anyhow::Result<Pool> {
    pool_of(options(url)?, max_connections)
}

/// A single connection outside any pool.
pub async fn connect(url: &str) -> anyhow::Result<Conn> {
    Ok(Conn::new(options(url)?).await?)
}
