//! The pool of the money path. A library's pool hands out what it has; this one looks at
//! each new connection first (is the server a primary, does it end sessions that fall
//! silent?), leaves a server as soon as another one answers, and never waits without end.

use crate::sql::conn::{CALL_TIMEOUT, Conn, silent};
use crate::sql::connection::options;
use crate::sql::errors::is_disconnect;
use crate::sql::server::{ServerIdentity, inspect};
use crate::sql::session::{ISOLATION_LEVEL_SQL, MAX_IDLE, SETTINGS_SQL, money_path_sql};
use mysql_async::Opts;
use mysql_async::prelude::Queryable;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longest wait for a connection that others have.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a new connection, from its address to the look at its server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection is asked after this whether it still lives.
const PING_AFTER: Duration = Duration::from_secs(1);

/// A pool; clones share it. Nothing is connected before it is needed.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    options: Opts,
    deadline: Duration,
    permits: Arc<Semaphore>,
    max_connections: usize,
    idle: Mutex<Vec<IdleConn>>,
    server: Mutex<Option<ServerIdentity>>,
    /// Grows whenever the server that answers is another one, or is to be left.
    epoch: AtomicU64,
}

struct IdleConn {
    inner: mysql_async::Conn,
    since: Instant,
    epoch: u64,
}

/// Origin of a connection: its pool, and the epoch in which it was made.
pub(super) struct Home {
    pool: Arc<Shared>,
    epoch: u64,
    /// None for a connection outside the pool's bound, which isn't given back.
    permit: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// Makes a pool of at most `max_connections` at `url`, at home in `schema`.
    ///
    /// # Errors
    /// A URL that can't be read.
    pub fn open(url: &str, schema: &str, max_connections: usize) -> anyhow::Result<Self> {
        Self::open_with(url, schema, max_connections, "")
    }

    /// Makes a pool whose sessions also begin with the statement `setup`, if there is one.
    ///
    /// # Errors
    /// A URL that can't be read.
    pub fn open_with(
        url: &str,
        schema: &str,
        max_connections: usize,
        setup: &str,
    ) -> anyhow::Result<Self> {
        let mut settings = vec![
            SETTINGS_SQL.to_owned(),
            ISOLATION_LEVEL_SQL.to_owned(),
            money_path_sql(),
        ];
        settings.extend((!setup.is_empty()).then(|| setup.to_owned()));
        let options = options(url)?.db_name(Some(schema)).setup(settings);
        Ok(Pool(Arc::new(Shared {
            options: options.into(),
            deadline: CALL_TIMEOUT,
            permits: Arc::new(Semaphore::new(max_connections.max(1))),
            max_connections: max_connections.max(1),
            idle: Mutex::default(),
            server: Mutex::default(),
            epoch: AtomicU64::new(0),
        })))
    }

    /// Takes an idle connection, or makes one.
    ///
    /// # Errors
    /// All are in use for too long; or the server can't be reached, only reads, or would
    /// keep the locks of hosts that vanish.
    pub async fn get_conn(&self) -> mysql_async::Result<Conn> {
        let free = timeout(ACQUIRE_TIMEOUT, self.0.permits.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = free else {
            return Err(silent(format!(
                "all {} connections have been in use for {ACQUIRE_TIMEOUT:?}",
                self.0.max_connections
            )));
        };
        let mut permit = Some(permit);
        while let Some(idle) = self.0.take_idle() {
            let since = idle.since;
            let home = self.home(idle.epoch, permit.take());
            let mut conn = Conn::new(idle.inner, self.0.deadline, home);
            if since.elapsed() < PING_AFTER
                || timeout(PING_AFTER, conn.ping())
                    .await
                    .is_ok_and(|p| p.is_ok())
            {
                return Ok(conn);
            }
            permit = conn.home.permit.take();
            conn.set_in_transaction(true);
        }
        self.connect_with(permit).await
    }

    /// Makes a connection outside the pool's bound: for a writer that must never wait for
    /// other people's connections.
    ///
    /// # Errors
    /// As for `get_conn`.
    pub async fn connect(&self) -> mysql_async::Result<Conn> {
        self.connect_with(None).await
    }

    /// Keeps a pooled connection in `held`, from call to call; a new one replaces it once
    /// it was cut off, has idled too long, or belongs to a server that was left.
    ///
    /// # Errors
    /// As for `get_conn`.
    pub async fn hold<'c>(&self, held: &'c mut Option<Conn>) -> mysql_async::Result<&'c mut Conn> {
        if held.as_ref().is_none_or(|c| !is_fresh(c)) {
            *held = None;
        }
        match held {
            Some(conn) => Ok(conn),
            none => Ok(none.insert(self.get_conn().await?)),
        }
    }

    /// As `hold`, with connections of `connect`.
    ///
    /// # Errors
    /// As for `connect`.
    pub async fn hold_own<'c>(
        &self,
        held: &'c mut Option<Conn>,
    ) -> mysql_async::Result<&'c mut Conn> {
        if held.as_ref().is_none_or(|c| !is_fresh(c)) {
            *held = None;
        }
        match held {
            Some(conn) => Ok(conn),
            none => Ok(none.insert(self.connect().await?)),
        }
    }

    /// Leaves the server: every connection to it is closed when its call is over.
    pub fn leave_server(&self) {
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
        self.0.idle().clear();
    }

    /// Changes whenever what was read before may be forgotten by the server that answers
    /// now: whoever remembers answers forgets them then.
    pub fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    async fn connect_with(
        &self,
        permit: Option<OwnedSemaphorePermit>,
    ) -> mysql_async::Result<Conn> {
        let connecting = async {
            let mut conn = mysql_async::Conn::new(self.0.options.clone()).await?;
            let server = inspect(&mut conn).await?;
            Ok((conn, server))
        };
        let connected = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .unwrap_or_else(|_| {
                Err(silent(format!(
                    "no connection to the database within {CONNECT_TIMEOUT:?}"
                )))
            });
        let (inner, server) = connected.inspect_err(|error| {
            if is_disconnect(error) {
                // The others go to the same place.
                self.0.idle().clear();
            }
        })?;
        let epoch = self.0.arrived_at(server);
        Ok(Conn::new(inner, self.0.deadline, self.home(epoch, permit)))
    }

    fn home(&self, epoch: u64, permit: Option<OwnedSemaphorePermit>) -> Home {
        Home {
            pool: self.0.clone(),
            epoch,
            permit,
        }
    }
}

fn is_fresh(conn: &Conn) -> bool {
    conn.is_usable() && conn.idle() < MAX_IDLE
}

impl Shared {
    fn take_idle(&self) -> Option<IdleConn> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let mut idle = self.idle();
        idle.retain(|c| c.epoch == epoch && c.since.elapsed() < MAX_IDLE);
        idle.pop()
    }

    /// Notes which server answers; returns the epoch of its connections.
    fn arrived_at(&self, server: ServerIdentity) -> u64 {
        let mut known = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known.as_ref().filter(|k| !k.is_same(&server)) {
            tracing::warn!("another database server answers: {server}, before {before}");
            self.epoch.fetch_add(1, Ordering::AcqRel);
            self.idle().clear();
        }
        *known = Some(server);
        self.epoch.load(Ordering::Acquire)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<IdleConn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Home {
    pub fn is_current(&self) -> bool {
        self.epoch == self.pool.epoch.load(Ordering::Acquire)
    }

    /// Takes a clean connection back.
    pub fn give_back(&mut self, inner: mysql_async::Conn, since: Instant) {
        if self.permit.is_some() && self.is_current() {
            let epoch = self.epoch;
            self.pool.idle().push(IdleConn {
                inner,
                since,
                epoch,
            });
        }
    }
}
