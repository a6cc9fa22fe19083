//! Stream of the sidecar's fence: line by line, a token that has passed, the accounts on
//! hold, and whether the sidecar is blind. A stream that breaks stalls the fence.

use crate::guard::fence::FenceView;
use crate::metrics::METRICS;
use crate::orders::SignedSince;
use anyhow::{Context, bail};
use futures_util::StreamExt;
use sluice_contract::settings::Secret;
use sluice_contract::tls::ClientTls;
use sluice_contract::wire::FenceLine;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Silence after which the stream counts as broken: five heartbeats.
const READ_TIMEOUT: Duration = Duration::from_millis(2_500);
const RECONNECT_DELAY: Duration = Duration::from_millis(200);
/// A stream that sends this much without a line end is not the sidecar.
const MAX_LINE_BYTES: usize = 4 << 20;

/// The sidecar to follow.
pub(super) struct FenceSource {
    url: String,
    token: Secret,
    /// Made once: the world's authorities are read and parsed for it, which would cost a
    /// core a tenth of a processor while its sidecar is away.
    http: reqwest::Client,
}

impl FenceSource {
    /// Makes the source at `url`; without `tls` the world's authorities count.
    ///
    /// # Errors
    /// The TLS can't be used.
    pub fn new(url: String, token: Secret, tls: Option<&ClientTls>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(READ_TIMEOUT)
            // A stream that broke is never gone on with.
            .pool_max_idle_per_host(0)
            .tcp_nodelay(true);
        let http = ClientTls::apply(tls, http)?.build()?;
        Ok(FenceSource { url, token, http })
    }
}

/// State of this process that lines are held against, or that they change.
pub(super) struct KnownToCore {
    /// The highest token that it has begun to raise: no higher one can have passed.
    pub raised: Arc<AtomicU64>,
    pub signed_since: SignedSince,
}

/// Follows the stream for ever, and says in `view` what is known.
pub(super) async fn follow(
    source: FenceSource,
    view: watch::Sender<FenceView>,
    known: KnownToCore,
) {
    loop {
        let error = match read_stream(&source, &view, &known).await {
            Ok(()) => "the stream ended".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        METRICS.fence_stalled.set(1);
        view.send_modify(|v| {
            if v.stalled.is_none() {
                tracing::warn!("fence stalls: {error}");
            }
            v.stalled = Some(format!("the sidecar can't be reached: {error}"));
        });
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

async fn read_stream(
    source: &FenceSource,
    view: &watch::Sender<FenceView>,
    known: &KnownToCore,
) -> anyhow::Result<()> {
    let bearer = String::from_utf8_lossy(source.token.expose()).into_owned();
    let request = source.http.get(&source.url).bearer_auth(bearer);
    let asked = tokio::time::timeout(READ_TIMEOUT, request.send()).await;
    let reply = asked
        .context("it does not answer")?
        .map_err(|e| e.without_url())?;
    if !reply.status().is_success() {
        bail!("it answered {}", reply.status());
    }
    let mut chunks = reply.bytes_stream();
    let mut buffer = Vec::new();
    loop {
        let Some(chunk) = tokio::time::timeout(READ_TIMEOUT, chunks.next())
            .await
            .context("it fell silent")?
        else {
            return Ok(());
        };
        buffer.extend_from_slice(&chunk.map_err(|e| e.without_url())?);
        while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
            let line: FenceLine =
                serde_json::from_slice(&buffer[..end]).context("it sent a malformed line")?;
            buffer.drain(..=end);
            apply(line, view, known);
        }
        if buffer.len() > MAX_LINE_BYTES {
            bail!("it sent a line beyond {MAX_LINE_BYTES} bytes");
        }
    }
}

/// Takes a line over. A token that was never raised is not believed: somebody else wrote it,
/// and every later one would have passed with it.
fn apply(line: FenceLine, view: &watch::Sender<FenceView>, known: &KnownToCore) {
    let raised = known.raised.load(Ordering::Relaxed);
    if let Some(month) = &line.signed {
        known.signed_since.learn(month);
    }
    let is_ours = line.token <= raised;
    if !is_ours {
        METRICS.fence_foreign_tokens.inc();
        tracing::error!(
            token = line.token,
            raised,
            "the sidecar tells a token that this core never raised: ignored. Somebody changed fence_token by hand"
        );
    }
    METRICS.fence_stalled.set(line.blind.is_some().into());
    view.send_modify(|v| {
        let stalled = line.blind.map(|b| format!("the sidecar is blind: {b}"));
        if stalled != v.stalled {
            tracing::warn!(stalled = stalled.as_deref().unwrap_or("no"), "fence");
        }
        if is_ours {
            v.token = line.token;
        }
        v.stalled = stalled;
        v.breakers = v.breakers.max(line.breakers);
        if v.holds.len() != line.holds.len() || line.holds.iter().any(|h| !v.holds.contains(h)) {
            v.holds = Arc::new(line.holds.into_iter().collect());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_never_raised_is_not_believed() {
        let (view, shown) = watch::channel(FenceView {
            token: 0,
            stalled: Some("not reached yet".to_owned()),
            holds: Arc::default(),
            breakers: 0,
        });
        let known = KnownToCore {
            raised: Arc::new(AtomicU64::new(5)),
            signed_since: SignedSince::default(),
        };
        let line = |token| FenceLine {
            token,
            ..FenceLine::default()
        };
        let ignored = METRICS.fence_foreign_tokens.get();
        apply(line(4), &view, &known);
        assert_eq!(shown.borrow().token, 4);
        apply(line(1_000_000_000_000), &view, &known);
        assert_eq!(shown.borrow().token, 4, "the fence would be off");
        assert_eq!(METRICS.fence_foreign_tokens.get(), ignored + 1);
        // What the line says besides still counts: it can only stop.
        let blind = FenceLine {
            blind: Some("binlog".to_owned()),
            ..line(1_000_000_000_000)
        };
        apply(blind, &view, &known);
        assert!(shown.borrow().stalled.is_some());
        apply(line(5), &view, &known);
        assert_eq!(shown.borrow().token, 5);
        // Rows of the guard are never unsigned again.
        let signed = FenceLine {
            signed: Some("202611".to_owned()),
            ..line(5)
        };
        apply(signed, &view, &known);
        apply(line(5), &view, &known);
        assert!(known.signed_since.is_required_of("202612"));
    }
}
