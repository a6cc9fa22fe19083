//! Connections: session settings, TLS, pools.

use crate::settings::is_loopback;
use crate::sql::session::{ISOLATION_LEVEL_SQL, LOCK_WAIT_SQL, POOL_SQL, SETTINGS_SQL};
use anyhow::ensure;
use mysql_async::{
    ClientIdentity, Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, SslOpts,
};
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

/// Parameter of a URL whose server is beyond loopback and without TLS.
const PLAINTEXT_ALLOWANCE: &str = "plaintext_beyond_loopback=true";

/// Options for `url` with Sluice's session settings.
pub fn options(url: &str) -> anyhow::Result<OptsBuilder> {
    options_of("mysql.url", url)
}

/// As `options`, for the setting `name`. Beyond loopback a URL without TLS is refused, unless
/// it says `?plaintext_beyond_loopback=true`. With `?tls_ca=FILE` the connection is
/// encrypted, and the server must show a certificate of that authority for the
/// host's very name; there is no way to skip either check. `&tls_certificate=FILE&tls_key=FILE`
/// show the server a certificate of ours.
pub fn options_of(name: &str, url: &str) -> anyhow::Result<OptsBuilder> {
    let (url, is_plaintext_allowed) = plaintext_allowance(url);
    let (url, authority) = authority(name, &url)?;
    let opts = Opts::from_url(&url).map_err(|e| {
        // The library's message may hold the password of the URL.
        anyhow::anyhow!(
            "{name} is not a URL such as mysql://user@127.0.0.1:3306 ({})",
            kind_of(&e)
        )
    })?;
    let host = opts.ip_or_hostname();
    ensure!(
        authority.is_some() || is_plaintext_allowed || is_loopback(host),
        "{name} names {host}: beyond loopback, TLS is needed: append ?tls_ca=FILE, or say \
         ?{PLAINTEXT_ALLOWANCE} if something else encrypts"
    );
    Ok(OptsBuilder::from_opts(opts)
        .setup(vec![SETTINGS_SQL, ISOLATION_LEVEL_SQL, LOCK_WAIT_SQL])
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEPALIVE_INTERVAL))
        .prefer_socket(false)
        .ssl_opts(authority)
        .stmt_cache_size(64))
}

/// The URL without the words that allow plaintext beyond loopback, and whether it had them.
fn plaintext_allowance(url: &str) -> (String, bool) {
    let Some((address, query)) = url.split_once('?') else {
        return (url.to_owned(), false);
    };
    let (allowances, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|p| *p == PLAINTEXT_ALLOWANCE);
    let rest = match others.is_empty() {
        true => address.to_owned(),
        false => format!("{address}?{}", others.join("&")),
    };
    (rest, !allowances.is_empty())
}

/// The URL without `tls_ca`, `tls_certificate` and `tls_key`, which the library doesn't
/// know, and what they ask for.
fn authority(name: &str, url: &str) -> anyhow::Result<(String, Option<SslOpts>)> {
    let Some((address, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None));
    };
    let (ours, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|p| p.starts_with("tls_"));
    if ours.is_empty() {
        return Ok((url.to_owned(), None));
    }
    let rest = if others.is_empty() {
        String::new()
    } else {
        format!("?{}", others.join("&"))
    };
    Ok((format!("{address}{rest}"), Some(tls_of(name, &ours)?)))
}

/// TLS as the URL's parameters ask for it. There is none without the authority.
fn tls_of(name: &str, parameters: &[&str]) -> anyhow::Result<SslOpts> {
    let (mut ca, mut certificate, mut key) = (None, None, None);
    for (parameter, file) in parameters.iter().filter_map(|p| p.split_once('=')) {
        let file_of = match parameter {
            "tls_ca" => &mut ca,
            "tls_certificate" => &mut certificate,
            "tls_key" => &mut key,
            _ => {
                anyhow::bail!("{name}: {parameter} is none of tls_ca, tls_certificate and tls_key")
            }
        };
        if let Err(error) = std::fs::File::open(file) {
            anyhow::bail!(
                "{name}: {parameter} = {file}: {error}; name a PEM file, or leave it out"
            );
        }
        *file_of = Some(PathBuf::from(file));
    }
    let Some(ca) = ca else {
        anyhow::bail!(
            "{name}: tls_ca is not set: name the PEM file of the authority that signed the server's certificate"
        );
    };
    let shown = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientIdentity::new(certificate.into(), key.into())),
        (None, None) => None,
        _ => anyhow::bail!(
            "{name}: tls_certificate and tls_key belong together: set both or neither"
        ),
    };
    Ok(SslOpts::default()
        .with_root_certs(vec![ca.into()])
        .with_disable_built_in_roots(true)
        .with_client_identity(shown))
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
