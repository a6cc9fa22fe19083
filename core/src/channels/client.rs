//! Calls a channel: signed JSON over HTTP, with its own connections, its own
//! bound on calls in flight, and a deadline after which the outcome is unknown.

use super::{Answer, Dialect, dialect};
use crate::config;
use crate::metrics::METRICS;
use crate::orders::Order;
use anyhow::Context;
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::settings::Secret;
use sluice_contract::signing::{self, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Longest reply read from a channel: real ones have a few hundred bytes.
const LONGEST_REPLY: usize = 64 << 10;

/// A reply as understood. `code` is the channel's own word, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub answer: Answer,
    pub code: String,
    pub amount: Option<rust_decimal::Decimal>,
}

impl Heard {
    pub fn unknown(code: &str) -> Self {
        Heard { answer: Answer::Unknown, code: code.to_owned(), amount: None }
    }
}

pub struct Client {
    dialect: Box<dyn Dialect>,
    secret: Secret,
    url: String,
    zone: String,
    http: reqwest::Client,
    /// Calls that may still start; a claim takes its permits first.
    pub slots: Arc<Semaphore>,
    pub deadline: Duration,
}

impl Client {
    pub fn new(config: &config::Channel, secret: Secret) -> anyhow::Result<Self> {
        let deadline = Duration::from_millis(config.deadline_ms);
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(deadline)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(config.concurrency)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .with_context(|| format!("channel {}: HTTP client", config.id))?;
        Ok(Client {
            dialect: dialect(&config.id)?,
            secret,
            url: format!("{}/{}", config.url.trim_end_matches('/'), config.id),
            zone: config.zone.clone(),
            http,
            slots: Arc::new(Semaphore::new(config.concurrency)),
            deadline,
        })
    }

    pub fn id(&self) -> &'static str {
        self.dialect.id()
    }

    /// The trade time of an order claimed now, in this channel's zone.
    pub fn trade_time(&self, at_us: i64) -> anyhow::Result<String> {
        trade_time(at_us, &self.zone)
    }

    /// Asks the channel to pay. Any failure to get a clear answer is unknown.
    pub async fn pay(&self, order: &Order) -> Heard {
        let body = ChannelPay {
            serial_no: order.serial_no.clone(),
            trade_time: order.trade_time.clone().unwrap_or_default(),
            to_account: order.to_account.clone(),
            amount: order.amount.normalize(),
            currency: order.currency.code().to_owned(),
        };
        self.call("pay", &body, &order.serial_no, |code| self.dialect.on_pay(code)).await
    }

    /// Asks what became of it, by the stored serial number and trade time.
    pub async fn query(&self, order: &Order) -> Heard {
        let body = ChannelQuery {
            serial_no: order.serial_no.clone(),
            trade_time: order.trade_time.clone().unwrap_or_default(),
        };
        self.call("query", &body, &order.serial_no, |code| self.dialect.on_query(code)).await
    }

    /// Understands a notification, if its signature holds.
    pub fn notified(
        &self,
        headers: (Option<&str>, Option<&str>),
        body: &[u8],
    ) -> Result<(ChannelReply, Heard), NotifyError> {
        signing::verify(&self.secret, now_us() / 1_000_000, headers.0, headers.1, body)
            .map_err(NotifyError::Signature)?;
        let reply: ChannelReply = serde_json::from_slice(body).map_err(|e| NotifyError::Body(e.to_string()))?;
        let heard =
            Heard { answer: self.dialect.on_notify(&reply.code), code: reply.code.clone(), amount: reply.amount };
        Ok((reply, heard))
    }

    async fn call(
        &self,
        call: &str,
        body: &impl serde::Serialize,
        serial_no: &str,
        read: impl Fn(&str) -> Answer,
    ) -> Heard {
        let begun = Instant::now();
        let heard = match self.exchange(call, body, serial_no).await {
            Ok(reply) => Heard { answer: read(&reply.code), code: reply.code, amount: reply.amount },
            Err(error) => {
                tracing::warn!(serial_no, channel = self.id(), call, "no clear answer: {error:#}");
                Heard::unknown("no_answer")
            }
        };
        METRICS.channel_call.with_label_values(&[self.id(), call]).observe(begun.elapsed().as_secs_f64());
        METRICS.channel_results.with_label_values(&[self.id(), heard.answer.as_str()]).inc();
        heard
    }

    async fn exchange(
        &self,
        call: &str,
        body: &impl serde::Serialize,
        serial_no: &str,
    ) -> anyhow::Result<ChannelReply> {
        let body = serde_json::to_vec(body)?;
        let timestamp = now_us() / 1_000_000;
        let request = self
            .http
            .post(format!("{}/{call}", self.url))
            .header("content-type", "application/json")
            .header(SIGNATURE_HEADER, signing::sign(&self.secret, timestamp, &body))
            .header(TIMESTAMP_HEADER, timestamp.to_string())
            .body(body);
        let reply = request.send().await.map_err(|e| e.without_url())?;
        anyhow::ensure!(reply.status().is_success(), "HTTP {}", reply.status());
        let header = |name| reply.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (time, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
        anyhow::ensure!(reply.content_length().is_none_or(|n| n <= LONGEST_REPLY as u64), "reply too long");
        let body = reply.bytes().await.map_err(|e| e.without_url())?;
        anyhow::ensure!(body.len() <= LONGEST_REPLY, "reply too long");
        signing::verify(&self.secret, now_us() / 1_000_000, time.as_deref(), signature.as_deref(), &body)?;
        let reply: ChannelReply = serde_json::from_slice(&body).context("reply is not the agreed JSON")?;
        anyhow::ensure!(reply.serial_no == serial_no, "reply is about another serial number");
        Ok(reply)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error("{0}")]
    Signature(signing::SignatureError),
    #[error("{0}")]
    Body(String),
}
