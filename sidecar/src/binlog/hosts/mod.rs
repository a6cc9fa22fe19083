//! One database server and those that may take its place. One host is current; all
//! reading and writing goes there. It changes only to a host that is writable, is no
//! replica, and has everything that was read so far: what was evaluated and
//! announced must be part of the history that goes on.

mod choice;
mod host;
mod url;

pub use crate::binlog::hosts::choice::HostChoice;
pub use crate::binlog::hosts::url::each_host;

use crate::binlog::hosts::host::ServerHost;
use mysql_async::{Conn, Pool};
use sluice_contract::sql;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

    /// The pool of the current host. Who holds it goes on writing there, wherever others move.
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
}

#[cfg(test)]
mod tests;
