//! Delivery of callbacks: signed, repeated until a 2xx, with a bound on how many
//! are under way. Waiting for the next try takes up no slot. It goes over the load
//! generator's own client, to leave the cores to the program under test.

use crate::channels::kinds::{SimulatorKind, TradeMessage};
use crate::channels::secrets::SimulatorSecrets;
use crate::load::http::HttpConnection;
use crate::load::request::push_post;
use anyhow::{Context, bail, ensure};
use sluice_contract::clock::now_us;
use sluice_contract::signing::{MessageDirection, MessageScope, callback_path, new_nonce};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Tries per callback; with the pauses below they span about half a minute.
const MAX_ATTEMPTS: u32 = 10;
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct CallbackSender {
    /// `None` if nobody is to be told.
    target: Option<CallbackTarget>,
    /// Connections between two callbacks; at most one per slot.
    idle: Mutex<Vec<HttpConnection>>,
    secrets: SimulatorSecrets,
    slots: Semaphore,
    open: AtomicU64,
    given_up: AtomicU64,
}

/// `http://127.0.0.1:7100/base`, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct CallbackTarget {
    address: String,
    /// One path per channel.
    paths: [String; SimulatorKind::COUNT],
}

impl CallbackTarget {
    fn parse(base: &str) -> anyhow::Result<Option<Self>> {
        if base.is_empty() {
            return Ok(None);
        }
        let rest = base
            .strip_prefix("http://")
            .context("callback_url must start with http:// (no TLS here)")?;
        let (address, prefix) = rest
            .split_once('/')
            .map_or((rest, String::new()), |(a, p)| (a, format!("/{p}")));
        ensure!(
            address.contains(':'),
            "callback_url = {base:?} needs a port, as in http://127.0.0.1:7102"
        );
        let prefix = prefix.trim_end_matches('/');
        let paths = SimulatorKind::ALL.map(|kind| format!("{prefix}{}", callback_path(kind.id())));
        Ok(Some(CallbackTarget {
            address: address.into(),
            paths,
        }))
    }
}

/// Counts a callback as open for as long as it lives.
struct OpenCallback<'a>(&'a AtomicU64);

impl Drop for OpenCallback<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CallbackSender {
    pub fn new(base: &str, concurrency: usize, secrets: SimulatorSecrets) -> anyhow::Result<Self> {
        Ok(CallbackSender {
            target: CallbackTarget::parse(base)?,
            idle: Mutex::new(Vec::new()),
            secrets,
            slots: Semaphore::new(concurrency),
            open: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        })
    }

    /// Callbacks not delivered yet, and those given up.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.open.load(Ordering::Relaxed),
            self.given_up.load(Ordering::Relaxed),
        )
    }

    pub async fn deliver(&self, kind: SimulatorKind, said: &TradeMessage) {
        let Some(target) = &self.target else { return };
        let serial_no = said.pay.serial_no.as_str();
        let body = match kind.simulator().notice(said) {
            Ok(body) => body,
            Err(error) => return tracing::error!("callback can't be written: {error}"),
        };
        self.open.fetch_add(1, Ordering::Relaxed);
        let _open = OpenCallback(&self.open);
        let mut pause = FIRST_RETRY_DELAY;
        for attempt in 1..=MAX_ATTEMPTS {
            match self.attempt(kind, target, &body).await {
                Ok(()) => return,
                Err(error) => tracing::debug!(serial_no, attempt, "callback: {error:#}"),
            }
            if attempt < MAX_ATTEMPTS {
                sleep(pause).await;
                pause = MAX_RETRY_DELAY.min(pause * 2);
            }
        }
        self.given_up.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(serial_no, channel = %kind, "callback given up after {MAX_ATTEMPTS} tries");
    }

    async fn attempt(
        &self,
        kind: SimulatorKind,
        target: &CallbackTarget,
        body: &[u8],
    ) -> anyhow::Result<()> {
        let _slot = self.slots.acquire().await?;
        // Signed anew each time: the receiver refuses old timestamps.
        let timestamp = now_us() / 1_000_000;
        let keys = self.secrets.of(kind);
        let nonce = new_nonce();
        let scope = MessageScope {
            direction: MessageDirection::Callback,
            channel: kind.id(),
            path: &callback_path(kind.id()),
            nonce: &nonce,
        };
        let headers = kind.simulator().signature(&keys, timestamp, scope, body);
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut request = Vec::with_capacity(512 + body.len());
        push_post(
            &mut request,
            &target.address,
            &target.paths[kind.index()],
            &headers,
            body,
        );
        // One that isn't put back, after an error or a time-out, is closed.
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => HttpConnection::open(&target.address).await?,
        };
        let Ok(answer) = timeout(REQUEST_TIMEOUT, connection.exchange(&request)).await else {
            bail!("no answer in {REQUEST_TIMEOUT:?}")
        };
        let (status, _) = answer?;
        if !connection.is_spent() {
            self.idle().push(connection);
        }
        ensure!((200..300).contains(&status), "HTTP {status}");
        Ok(())
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<HttpConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "callbacks_tests.rs"]
mod tests;
