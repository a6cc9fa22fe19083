//! Exchange of one call with a channel: a second try only while surely nothing was sent.

use crate::channels::adapter::{ChannelCall, RawReply};
use crate::channels::answer::ChannelResult;
use crate::channels::client::{ChannelClient, signing_context};
use crate::channels::send_by::{SendBy, TimedBody};
use crate::metrics::METRICS;
use crate::orders::Order;
use anyhow::ensure;
use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// Longest reply read from a channel: real ones have a few hundred bytes.
const MAX_REPLY_BYTES: usize = 64 << 10;
/// Tries to connect within a call, and the pauses between them.
const MAX_CONNECT_ATTEMPTS: usize = 5;
const MIN_CONNECT_BACKOFF: Duration = Duration::from_millis(20);
const MAX_CONNECT_BACKOFF: Duration = Duration::from_millis(500);

impl ChannelClient {
    /// Sends the call, signed anew at each try, and reads the reply.
    pub(super) async fn exchange(
        &self,
        call: ChannelCall,
        order: &Order,
        send_by: Option<SendBy>,
    ) -> anyhow::Result<ChannelResult> {
        let _slot = match call {
            ChannelCall::Pay => None,
            ChannelCall::Query => Some(self.queries.acquire().await?),
        };
        let tries = ExponentialBuilder::default()
            .with_min_delay(MIN_CONNECT_BACKOFF)
            .with_max_delay(MAX_CONNECT_BACKOFF)
            .with_max_times(MAX_CONNECT_ATTEMPTS - 1)
            .with_jitter();
        let reply = (|| self.send(call, order, send_by))
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
        self.adapter
            .read(call, order, &reply, signing_context(&keys))
    }

    /// One try, signed anew: channels refuse old timestamps.
    async fn send(
        &self,
        call: ChannelCall,
        order: &Order,
        send_by: Option<SendBy>,
    ) -> anyhow::Result<reqwest::Response> {
        send_by.map_or(Ok(()), |time| time.check())?;
        let keys = self.keys.get();
        let message = self.adapter.message(call, order, signing_context(&keys))?;
        let mut request = self
            .http
            .request(message.method, format!("{}{}", self.url, message.path));
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        // Addresses may hold what logs must not.
        let body = match send_by {
            Some(time) => reqwest::Body::wrap(TimedBody::new(message.body, time)),
            None => message.body.into(),
        };
        Ok(request
            .body(body)
            .send()
            .await
            .map_err(reqwest::Error::without_url)?)
    }
}

/// Tells whether no byte of the request can have reached the channel: the name could not be
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
