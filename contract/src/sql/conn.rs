//! A connection whose every call has a deadline. What outlives it is cut off with its
//! socket: a server that vanished without a word would be waited for for 15 minutes.

use crate::sql::errors::is_disconnect;
use crate::sql::pool::Home;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mysql_async::prelude::{AsQuery, FromRow, Queryable, StatementLike};
use mysql_async::{
    BinaryProtocol, Error, IoError, Params, QueryResult, Row, Statement, TextProtocol,
};
use std::future::{Future, ready};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Deadline of one call: longer than any wait for locks, and than a commit waits for a
/// semi-synchronous replica by default.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection of a `Pool`, and the only way to its server on the money path.
pub struct Conn {
    inner: Option<mysql_async::Conn>,
    calls: Calls,
    is_in_transaction: bool,
    pub(super) home: Home,
}

/// The calls on a connection: whether one was cut off, and when the last one ended.
pub(super) struct Calls {
    deadline: Duration,
    /// Set before a call and taken back after it: still set, it was cut off.
    is_broken: bool,
    pub last_used: Instant,
}

impl Conn {
    pub(super) fn new(inner: mysql_async::Conn, deadline: Duration, home: Home) -> Self {
        Conn {
            inner: Some(inner),
            calls: Calls {
                deadline,
                is_broken: false,
                last_used: Instant::now(),
            },
            is_in_transaction: false,
            home,
        }
    }

    /// Runs `statements` in one round trip; returns the rows of each.
    ///
    /// # Errors
    /// The server's, or its silence.
    pub async fn query_sets(&mut self, statements: &[&str]) -> mysql_async::Result<Vec<Vec<Row>>> {
        let (inner, calls) = self.parts()?;
        let all = async move {
            let mut sets = inner.query_iter(statements.join("; ")).await?;
            let mut all = Vec::with_capacity(statements.len());
            for _ in statements {
                all.push(sets.collect().await?);
            }
            sets.drop_result().await?;
            Ok(all)
        };
        calls.bounded(all.boxed()).await
    }

    /// Rows that the last statement changed.
    pub fn affected_rows(&self) -> u64 {
        self.inner
            .as_ref()
            .map_or(0, mysql_async::Conn::affected_rows)
    }

    /// Notes whether a transaction is open: a connection that is let go within one is
    /// closed, which rolls back.
    pub fn set_in_transaction(&mut self, is_open: bool) {
        self.is_in_transaction = is_open;
    }

    /// Tells whether the next call may go over it: the last one was not cut off, and its
    /// server is still the one that the pool knows.
    pub fn is_usable(&self) -> bool {
        self.inner.is_some() && !self.calls.is_broken && self.home.is_current()
    }

    /// The time since its last call.
    pub(super) fn idle(&self) -> Duration {
        self.calls.last_used.elapsed()
    }

    fn parts(&mut self) -> mysql_async::Result<(&mut mysql_async::Conn, &mut Calls)> {
        match &mut self.inner {
            Some(inner) if !self.calls.is_broken => Ok((inner, &mut self.calls)),
            Some(_) | None => Err(silent(
                "an earlier call on this connection was cut off".into(),
            )),
        }
    }
}

impl Calls {
    /// Runs one call within the deadline. Dropped before its end it leaves the mark.
    fn bounded<'a, T: Send + 'a>(
        &'a mut self,
        call: impl Future<Output = mysql_async::Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, mysql_async::Result<T>> {
        async move {
            self.is_broken = true;
            let done = timeout(self.deadline, call).await.unwrap_or_else(|_| {
                let deadline = self.deadline;
                Err(silent(format!(
                    "the database did not answer within {deadline:?}: the connection is dropped"
                )))
            });
            // Whatever the server didn't say itself has closed the stream.
            self.is_broken = done
                .as_ref()
                .is_err_and(|e| is_disconnect(e) || !matches!(e, Error::Server(_)));
            self.last_used = Instant::now();
            done
        }
        .boxed()
    }
}

/// The error of a silence; a class of its own is not needed: the connection is gone.
pub(super) fn silent(why: String) -> Error {
    Error::Io(IoError::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        why,
    )))
}

fn refused<'a, T: Send + 'a>(error: Error) -> BoxFuture<'a, mysql_async::Result<T>> {
    ready(Err(error)).boxed()
}

/// Every call that the library offers, within the deadline. `query_iter`, `exec_iter` and
/// the streams bound the first answer only: the style test keeps them out of the core.
impl Queryable for Conn {
    fn ping(&mut self) -> BoxFuture<'_, mysql_async::Result<()>> {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.ping()),
            Err(error) => refused(error),
        }
    }

    fn query_iter<'a, Q>(
        &'a mut self,
        query: Q,
    ) -> BoxFuture<'a, mysql_async::Result<QueryResult<'a, 'static, TextProtocol>>>
    where
        Q: AsQuery + 'a,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.query_iter(query)),
            Err(error) => refused(error),
        }
    }

    fn prep<'a, Q>(&'a mut self, query: Q) -> BoxFuture<'a, mysql_async::Result<Statement>>
    where
        Q: AsQuery + 'a,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.prep(query)),
            Err(error) => refused(error),
        }
    }

    fn close(&mut self, statement: Statement) -> BoxFuture<'_, mysql_async::Result<()>> {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.close(statement)),
            Err(error) => refused(error),
        }
    }

    fn exec_iter<'a: 's, 's, Q, P>(
        &'a mut self,
        statement: Q,
        params: P,
    ) -> BoxFuture<'s, mysql_async::Result<QueryResult<'a, 'static, BinaryProtocol>>>
    where
        Q: StatementLike + 's,
        P: Into<Params>,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.exec_iter(statement, params)),
            Err(error) => refused(error),
        }
    }

    fn query<'a, T, Q>(&'a mut self, query: Q) -> BoxFuture<'a, mysql_async::Result<Vec<T>>>
    where
        Q: AsQuery + 'a,
        T: FromRow + Send + 'static,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.query(query)),
            Err(error) => refused(error),
        }
    }

    fn query_first<'a, T, Q>(
        &'a mut self,
        query: Q,
    ) -> BoxFuture<'a, mysql_async::Result<Option<T>>>
    where
        Q: AsQuery + 'a,
        T: FromRow + Send + 'static,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.query_first(query)),
            Err(error) => refused(error),
        }
    }

    fn query_drop<'a, Q>(&'a mut self, query: Q) -> BoxFuture<'a, mysql_async::Result<()>>
    where
        Q: AsQuery + 'a,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.query_drop(query)),
            Err(error) => refused(error),
        }
    }

    fn exec_batch<'a: 'b, 'b, S, P, I>(
        &'a mut self,
        statement: S,
        params: I,
    ) -> BoxFuture<'b, mysql_async::Result<()>>
    where
        S: StatementLike + 'b,
        I: IntoIterator<Item = P> + Send + 'b,
        I::IntoIter: Send,
        P: Into<Params> + Send,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.exec_batch(statement, params)),
            Err(error) => refused(error),
        }
    }

    fn exec<'a: 'b, 'b, T, S, P>(
        &'a mut self,
        statement: S,
        params: P,
    ) -> BoxFuture<'b, mysql_async::Result<Vec<T>>>
    where
        S: StatementLike + 'b,
        P: Into<Params> + Send + 'b,
        T: FromRow + Send + 'static,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.exec(statement, params)),
            Err(error) => refused(error),
        }
    }

    fn exec_first<'a: 'b, 'b, T, S, P>(
        &'a mut self,
        statement: S,
        params: P,
    ) -> BoxFuture<'b, mysql_async::Result<Option<T>>>
    where
        S: StatementLike + 'b,
        P: Into<Params> + Send + 'b,
        T: FromRow + Send + 'static,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.exec_first(statement, params)),
            Err(error) => refused(error),
        }
    }

    fn exec_drop<'a: 'b, 'b, S, P>(
        &'a mut self,
        statement: S,
        params: P,
    ) -> BoxFuture<'b, mysql_async::Result<()>>
    where
        S: StatementLike + 'b,
        P: Into<Params> + Send + 'b,
    {
        match self.parts() {
            Ok((conn, calls)) => calls.bounded(conn.exec_drop(statement, params)),
            Err(error) => refused(error),
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        if !self.calls.is_broken && !self.is_in_transaction {
            self.home.give_back(inner, self.calls.last_used);
        }
        // Else it is closed here: the server rolls back, and nobody else gets it.
    }
}
