//! Calls a channel over HTTP. The same for all: connections of its own, bounds on
//! calls in flight, a deadline after which the outcome is unknown, and a second try
//! only while surely nothing was sent.

use crate::channels::adapter::{
    ChannelAdapter, ChannelCall, ChannelNotification, NotificationError, SigningContext,
};
use crate::channels::answer::ChannelResult;
use crate::channels::known::adapter;
use crate::channels::permits::CallPermits;
use crate::channels::send_by::SendBy;
use crate::config;
use crate::config::ChannelDecimals;
use crate::metrics::METRICS;
use crate::orders::Order;
use crate::ready_queue::ReadyQueue;
use anyhow::Context;
use reqwest::header::HeaderMap;
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::keys::{KeyRing, SigningKeys};
use sluice_contract::tls::ClientTls;
use sluice_contract::traces::{SpanKind, TraceField, TraceSpan};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

/// Idle connections are closed after this, before most servers close them: a
/// request that meets a closing connection would be in doubt.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Client of one channel.
pub struct ChannelClient {
    pub(super) adapter: Box<dyn ChannelAdapter>,
    /// Currencies that it takes, and their decimals there.
    pub decimals: Arc<ChannelDecimals>,
    pub(super) keys: KeyRing,
    pub(super) url: String,
    zone: String,
    pub(super) http: reqwest::Client,
    /// Payment calls that may still start; a claim takes its permit first.
    pub permits: CallPermits,
    /// Queries have permits of their own: held payments can't keep them from finding
    /// out what became of these.
    pub(super) queries: Semaphore,
    /// Of a whole call: waiting for a query's permit, connecting, sending, reading.
    pub deadline: Duration,
    /// Longest from a claim to the bytes of its request.
    pub send_within: Duration,
}

impl ChannelClient {
    /// `ready` gets back the orders that waited for a permit; without `tls` the world's
    /// authorities count.
    pub fn new(
        config: &config::ChannelConfig,
        keys: KeyRing,
        ready: &ReadyQueue,
        tls: Option<&ClientTls>,
    ) -> anyhow::Result<Self> {
        let decimals = Arc::new(config.decimals()?);
        let adapter = adapter(config.id.parse()?, decimals.clone());
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(config.connect())
            .tcp_nodelay(true)
            // Holds for what an ended call has left in the kernel too: the quiet time counts on it.
            .tcp_user_timeout(config.unacknowledged())
            .pool_max_idle_per_host(config.concurrency + config.query_concurrency)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // What may be sent again is decided here alone.
            .retry(reqwest::retry::never());
        let http = ClientTls::apply(tls, http)?
            .build()
            .with_context(|| format!("channel {}: HTTP client", config.id))?;
        Ok(ChannelClient {
            permits: CallPermits::new(adapter.id(), config.concurrency, ready),
            adapter,
            decimals,
            keys,
            url: config.url.trim_end_matches('/').to_owned(),
            zone: config.zone.clone(),
            http,
            queries: Semaphore::new(config.query_concurrency),
            deadline: Duration::from_millis(config.deadline_ms),
            send_within: config.send_within(),
        })
    }

    /// The channel's id, as in the settings.
    pub fn id(&self) -> &'static str {
        self.adapter.id()
    }

    /// Makes the trade time of an order claimed now, in this channel's zone.
    pub fn trade_time(&self, at_us: i64) -> anyhow::Result<String> {
        trade_time(at_us, &self.zone)
    }

    /// Asks the channel to pay, if that can be said before `send_by`. Any failure to get a
    /// clear answer is unknown.
    pub async fn pay(&self, order: &Order, send_by: SendBy) -> ChannelResult {
        self.call(ChannelCall::Pay, order, Some(send_by)).await
    }

    /// Asks what became of it, by the stored serial number and trade time.
    pub async fn query(&self, order: &Order) -> ChannelResult {
        self.call(ChannelCall::Query, order, None).await
    }

    /// Understands a notification, if its signature holds.
    pub fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<ChannelNotification, NotificationError> {
        let keys = self.keys.get();
        self.adapter.notified(headers, body, signing_context(&keys))
    }

    async fn call(
        &self,
        call: ChannelCall,
        order: &Order,
        send_by: Option<SendBy>,
    ) -> ChannelResult {
        let begun = Instant::now();
        let deadline = tokio::time::Instant::from_std(begun + self.deadline);
        let mut span = TraceSpan::within(call.as_str(), SpanKind::Client, order.trace());
        let asked = self.exchange(call, order, send_by, span.parent());
        let answered = timeout_at(deadline, asked).await;
        let late = |_| Err(anyhow::anyhow!("no reply in {:?}", self.deadline));
        let result = match answered.unwrap_or_else(late) {
            Ok(result) => result,
            Err(error) => {
                tracing::warn!(
                    serial_no = order.serial_no,
                    correlation = order.correlation(),
                    channel = self.id(),
                    call = call.as_str(),
                    "no clear answer: {error:#}"
                );
                ChannelResult::unknown("no_answer")
            }
        };
        span.set(TraceField::Order, &order.order_id);
        span.set(TraceField::Channel, self.id());
        span.set(TraceField::Answer, result.answer.as_str());
        METRICS
            .channels
            .call
            .with_label_values(&[self.id(), call.as_str()])
            .observe(begun.elapsed().as_secs_f64());
        METRICS
            .channels
            .results
            .with_label_values(&[self.id(), result.answer.as_str()])
            .inc();
        result
    }
}

/// Time and keys to sign and verify with now.
pub(super) fn signing_context(keys: &SigningKeys) -> SigningContext<'_> {
    SigningContext {
        keys,
        now_s: now_us() / 1_000_000,
    }
}
