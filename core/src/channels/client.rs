//! Calls a channel over HTTP. The same for all: connections of its own, bounds on
//! calls in flight, a deadline after which the outcome is unknown, and a second try
//! only while surely nothing was sent.

use crate::channels::permits::CallPermits;
use crate::channels::{
    ChannelAdapter, ChannelCall, ChannelNotification, ChannelResult, NotificationError, RawReply,
    SigningContext, adapter,
};
use crate::config;
use crate::metrics::METRICS;
use crate::orders::Order;
use crate::ready_queue::ReadyQueue;
use anyhow::{Context, ensure};
use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::keys::KeyRing;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

/// Longest reply read from a channel: real ones have a few hundred bytes.
const MAX_REPLY_BYTES: usize = 64 << 10;
/// Idle connections are closed after this, before most servers close them: a
/// request that meets a closing connection would be in doubt.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Tries to connect within a call, and the pauses between them.
const MAX_CONNECT_ATTEMPTS: usize = 5;
const MIN_CONNECT_BACKOFF: Duration = Duration::from_millis(20);
const MAX_CONNECT_BACKOFF: Duration = Duration::from_millis(500);

pub struct ChannelClient {
    adapter: Box<dyn ChannelAdapter>,
    keys: KeyRing,
    url: String,
    zone: String,
    http: reqwest::Client,
    /// Payment calls that may still start; a claim takes its permit first.
    pub permits: CallPermits,
    /// Queries have permits of their own: held payments can't keep them from finding
    /// out what became of these.
    queries: Semaphore,
    /// Of a whole call: waiting for a query's permit, connecting, sending, reading.
    pub deadline: Duration,
}

impl ChannelClient {
    /// `ready` gets back the orders that waited for a permit.
    pub fn new(
        config: &config::ChannelConfig,
        keys: KeyRing,
        ready: &ReadyQueue,
    ) -> anyhow::Result<Self> {
        let adapter = adapter(&config.id)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(config.connect())
            .tcp_nodelay(true)
            .pool_max_idle_per_host(config.concurrency + config.query_concurrency)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // What may be sent again is decided here alone.
            .retry(reqwest::retry::never())
            .build()
            .with_context(|| format!("channel {}: HTTP client", config.id))?;
        Ok(ChannelClient {
            permits: CallPermits::new(adapter.id(), config.concurrency, ready),
            adapter,
            keys,
            url: config.url.trim_end_matches('/').to_owned(),
            zone: config.zone.clone(),
            http,
            queries: Semaphore::new(config.query_concurrency),
            deadline: Duration::from_millis(config.deadline_ms),
        })
    }

    pub fn id(&self) -> &'static str {
        self.adapter.id()
    }

    /// The trade time of an order claimed now, in this channel's zone.
    pub fn trade_time(&self, at_us: i64) -> anyhow::Result<String> {
        trade_time(at_us, &self.zone)
    }

    /// Asks the channel to pay. Any failure to get a clear answer is unknown.
    pub async fn pay(&self, order: &Order) -> ChannelResult {
        self.call(ChannelCall::Pay, order).await
    }

    /// Asks what became of it, by the stored serial number and trade time.
    pub async fn query(&self, order: &Order) -> ChannelResult {
        self.call(ChannelCall::Query, order).await
    }

    /// Understands a notification, if its signature holds.
    pub fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<ChannelNotification, NotificationError> {
        let keys = self.keys.get();
        self.adapter.notified(
            headers,
            body,
            SigningContext {
                keys: &keys,
                now_s: now_us() / 1_000_000,
            },
        )
    }

    async fn call(&self, call: ChannelCall, order: &Order) -> ChannelResult {
        let begun = Instant::now();
        let deadline = tokio::time::Instant::from_std(begun + self.deadline);
        let heard = timeout_at(deadline, self.exchange(call, order)).await;
        let late = |_| Err(anyhow::anyhow!("no reply in {:?}", self.deadline));
        let heard = match heard.unwrap_or_else(late) {
            Ok(heard) => heard,
            Err(error) => {
                tracing::warn!(
                    serial_no = order.serial_no,
                    channel = self.id(),
                    call = call.as_str(),
                    "no clear answer: {error:#}"
                );
                ChannelResult::unknown("no_answer")
            }
        };
        METRICS
            .channels
            .call
            .with_label_values(&[self.id(), call.as_str()])
            .observe(begun.elapsed().as_secs_f64());
        METRICS
            .channels
            .results
            .with_label_values(&[self.id(), heard.answer.as_str()])
            .inc();
        heard
    }

    async fn exchange(&self, call: ChannelCall, order: &Order) -> anyhow::Result<ChannelResult> {
        let _slot = match call {
            ChannelCall::Pay => None,
            ChannelCall::Query => Some(self.queries.acquire().await?),
        };
        let tries = ExponentialBuilder::default()
            .with_min_delay(MIN_CONNECT_BACKOFF)
            .with_max_delay(MAX_CONNECT_BACKOFF)
            .with_max_times(MAX_CONNECT_ATTEMPTS - 1)
            .with_jitter();
        let reply = (|| self.send(call, order))
            .retry(tries)
            .when(surely_unsent)
            .notify(|error, pause| {
                tracing::debug!(
                    serial_no = order.serial_no,
                    channel = self.id(),
                    ?pause,
                    "not connected: {error:#}"
                );
                METRICS
                    .channels
                    .reconnects
                    .with_label_values(&[self.id()])
                    .inc();
            })
            .await?;
        let reply = RawReply {
            status: reply.status().as_u16(),
            headers: reply.headers().clone(),
            body: whole_body(reply).await?,
        };
        let keys = self.keys.get();
        self.adapter.read(
            call,
            order,
            &reply,
            SigningContext {
                keys: &keys,
                now_s: now_us() / 1_000_000,
            },
        )
    }

    /// One try, signed anew: channels refuse old timestamps.
    async fn send(&self, call: ChannelCall, order: &Order) -> anyhow::Result<reqwest::Response> {
        let keys = self.keys.get();
        let message = self.adapter.message(
            call,
            order,
            SigningContext {
                keys: &keys,
                now_s: now_us() / 1_000_000,
            },
        )?;
        let mut request = self
            .http
            .request(message.method, format!("{}{}", self.url, message.path));
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        // Addresses may hold what logs must not.
        Ok(request
            .body(message.body)
            .send()
            .await
            .map_err(reqwest::Error::without_url)?)
    }
}

/// No byte of the request can have reached the channel: the name could not be
/// resolved, the connection was refused or timed out, or TLS was not agreed on.
/// Everything after that may have been read and acted upon.
fn surely_unsent(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<reqwest::Error>()
        .is_some_and(reqwest::Error::is_connect)
}

async fn whole_body(mut reply: reqwest::Response) -> anyhow::Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = reply.chunk().await.map_err(reqwest::Error::without_url)? {
        ensure!(
            body.len() + chunk.len() <= MAX_REPLY_BYTES,
            "reply is longer than {MAX_REPLY_BYTES} bytes"
        );
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
