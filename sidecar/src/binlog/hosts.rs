//! One database server and those that may take its place. One host is current; all
//! reading and writing goes there. It changes only to a host that is writable, is no
//! replica, and has everything that was read so far: what was evaluated and
//! announced must be part of the history that goes on.

use crate::binlog::preflight;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use futures_util::StreamExt;
use mysql_async::{BinlogStream, Conn, Pool};
use sluice_contract::sql;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// One question to a candidate; a frozen one must not hold up the others.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// One commit at a time, and one that was given up and is not rolled back yet.
const COMMIT_CONNECTIONS: usize = 2;
/// Hosts of one server: each is asked in turn while money waits.
const MAX_HOSTS: usize = 8;

/// The hosts of a server, tried in the order in which they are written.
#[derive(Debug)]
pub struct ServerHosts {
    hosts: Vec<ServerHost>,
    current: AtomicUsize,
    /// A reader follows the current host: it alone may change it, as it knows what
    /// was read.
    followed: AtomicBool,
    /// The current one is no primary any more, though it answers: a planned switch.
    left: AtomicBool,
}

#[derive(Debug)]
struct ServerHost {
    url: String,
    /// `host:port`, for people.
    name: String,
    pool: Pool,
    /// For the commits of what was found: they never wait for those who only look.
    commit_pool: Pool,
}

/// What looking for a host came to.
#[derive(Debug, PartialEq, Eq)]
pub enum HostChoice {
    /// The current one is fit.
    Same,
    /// Another one is current now.
    Moved,
    /// None is fit, and why not.
    Nowhere(String),
}

/// Ends its reader's rule over the hosts.
#[derive(Debug)]
pub struct HostFollowGuard(Arc<ServerHosts>);

impl Drop for HostFollowGuard {
    fn drop(&mut self) {
        self.0.followed.store(false, Ordering::Release);
    }
}

impl ServerHosts {
    /// Reads `mysql://user:password@one:3306,two:3306`; `name` is the setting's.
    pub fn new(name: &str, url: &str, connections: usize) -> anyhow::Result<Self> {
        let urls = each_host(url);
        if urls.len() > MAX_HOSTS {
            anyhow::bail!(
                "{name} names {} hosts; at most {MAX_HOSTS} are tried",
                urls.len()
            );
        }
        let host = |url: String| {
            let options = sql::options_of(name, &url)?;
            let opts = mysql_async::Opts::from(options.clone());
            let name = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
            let commit_pool = sql::pool_of(options.clone(), COMMIT_CONNECTIONS)?;
            anyhow::Ok(ServerHost {
                url,
                name,
                pool: sql::pool_of(options, connections)?,
                commit_pool,
            })
        };
        let hosts = urls
            .into_iter()
            .map(host)
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(ServerHosts {
            hosts,
            current: AtomicUsize::new(0),
            followed: AtomicBool::new(false),
            left: AtomicBool::new(false),
        })
    }

    fn at(&self) -> &ServerHost {
        &self.hosts[self.current.load(Ordering::Acquire)]
    }

    pub fn url(&self) -> &str {
        &self.at().url
    }

    /// `host:port` of the current one.
    pub fn name(&self) -> &str {
        &self.at().name
    }

    /// Whether there is any choice.
    pub fn several(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Of the current host. Who holds it goes on writing there, wherever others move.
    pub fn pool(&self) -> Pool {
        self.at().pool.clone()
    }

    /// As `pool`, with connections of its own.
    pub fn commit_pool(&self) -> Pool {
        self.at().commit_pool.clone()
    }

    /// A connection to the current host.
    pub async fn get_conn(&self) -> mysql_async::Result<Conn> {
        self.at().pool.get_conn().await
    }

    pub async fn disconnect(&self) {
        for host in &self.hosts {
            drop(host.pool.clone().disconnect().await);
            drop(host.commit_pool.clone().disconnect().await);
        }
    }

    /// From now on only a reader moves the hosts.
    pub fn follow(self: &Arc<Self>) -> HostFollowGuard {
        self.followed.store(true, Ordering::Release);
        HostFollowGuard(Arc::clone(self))
    }

    pub fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Acquire)
    }

    /// Tells the reader to look for another host.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Looks for a host that can go on, the current one first. It must have all of
    /// `read` (see `relied`).
    pub async fn find(&self, server_id: u32, flavour: Flavour, read: &GtidSet) -> HostChoice {
        let current = self.current.load(Ordering::Acquire);
        let order = (0..self.hosts.len()).map(|n| (current + n) % self.hosts.len());
        let mut refusals = Vec::new();
        for at in order {
            match self.refusal(at, server_id, Some((flavour, read))).await {
                None => return self.go(current, at),
                Some(refusal) => refusals.push(refusal),
            }
        }
        HostChoice::Nowhere(refusals.join("; "))
    }

    /// Before anything is read: the one host that can be written to. If there are two,
    /// one of them is a primary of old that nobody fenced, and only a person knows which.
    pub async fn primary(&self) -> HostChoice {
        let current = self.current.load(Ordering::Acquire);
        let (mut fit, mut refusals) = (Vec::new(), Vec::new());
        for at in 0..self.hosts.len() {
            match self.refusal(at, 0, None).await {
                None => fit.push(at),
                Some(refusal) => refusals.push(refusal),
            }
        }
        match fit.as_slice() {
            [] => HostChoice::Nowhere(refusals.join("; ")),
            [one] => self.go(current, *one),
            [one, two, ..] => HostChoice::Nowhere(format!(
                "{} and {} can both be written to; make the one that is not the primary read-only",
                self.hosts[*one].name, self.hosts[*two].name
            )),
        }
    }

    fn go(&self, from: usize, to: usize) -> HostChoice {
        self.left.store(false, Ordering::Release);
        if from == to {
            return HostChoice::Same;
        }
        self.current.store(to, Ordering::Release);
        tracing::error!(
            from = self.hosts[from].name,
            to = self.hosts[to].name,
            "another server takes over"
        );
        HostChoice::Moved
    }

    async fn refusal(
        &self,
        at: usize,
        server_id: u32,
        read: Option<(Flavour, &GtidSet)>,
    ) -> Option<String> {
        let host = &self.hosts[at];
        match timeout(QUERY_TIMEOUT * 2, host.is_fit(server_id, read)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{}: {error:#}", host.name)),
            Err(_) => Some(format!("{}: no answer within 4 s", host.name)),
        }
    }
}

impl ServerHost {
    async fn is_fit(
        &self,
        server_id: u32,
        read: Option<(Flavour, &GtidSet)>,
    ) -> anyhow::Result<()> {
        let mut conn = timeout(QUERY_TIMEOUT, sql::connect(&self.url)).await??;
        if let Some(why) = preflight::not_primary(&mut conn).await? {
            anyhow::bail!("{why}");
        }
        let Some((flavour, position)) = read else {
            return Ok(());
        };
        // Asked first of MySQL, which would go on all the same.
        if !preflight::has_all(&mut conn, flavour, position).await? {
            anyhow::bail!(
                "{}",
                lost_something(position, "its gtid_executed is behind")
            );
        }
        // The server itself is asked to go on from there: a position that is ahead of
        // it, or of another history, is refused by its own rules.
        let stream =
            preflight::open(&self.url, server_id, flavour, position, StartPosition::Now).await?;
        match timeout(QUERY_TIMEOUT, goes_on(stream)).await? {
            Ok(()) => Ok(()),
            Err(error) => anyhow::bail!("{}", lost_something(position, &error.to_string())),
        }
    }
}

fn lost_something(read: &GtidSet, why: &str) -> String {
    format!(
        "it does not have everything that was read, up to {}: {why}; what it lost was evaluated and told already: run \
         the audit, then restart the sidecar",
        read.render()
    )
}

/// Reads until the server has proved that it serves this position.
async fn goes_on(mut stream: BinlogStream) -> Result<(), mysql_async::Error> {
    // Rotate, format and a list of GTIDs come before the check on some servers.
    const PREAMBLE_EVENT_TYPES: [u8; 4] = [4, 15, 163, 35];
    while let Some(event) = stream.next().await {
        if !PREAMBLE_EVENT_TYPES.contains(&event?.header().event_type_raw()) {
            break;
        }
    }
    Ok(())
}

/// One URL per host of `mysql://user:password@one:3306,two/…?…`.
pub fn each_host(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.to_owned()];
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, hosts) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(user, hosts)| (user, hosts));
    let at = if user.is_empty() { "" } else { "@" };
    hosts
        .split(',')
        .map(|host| format!("{scheme}://{user}{at}{}{tail}", host.trim()))
        .collect()
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
