//! Settings of the channels.

use crate::config::ChannelDecimals;
use anyhow::{Context, ensure};
use serde::Deserialize;
use sluice_contract::money::Currency;
use sluice_contract::settings::check_client_url;
use sluice_contract::string_enum;
use sluice_contract::tls::ClientTlsSettings;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

string_enum! {
    /// Channel that this build can talk to.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum ChannelId("channels.id") {
        Netsunion = "netsunion",
        Unionpay = "unionpay",
        Psp = "psp",
    }
}

const DEFAULT_CONNECT_TIMEOUT_MS: u64 = 1_000;
/// Bytes that the channel's host does not acknowledge for this long, or for the deadline if
/// that is shorter, are given up by the kernel, even after the call has ended.
const MAX_UNACKNOWLEDGED_MS: u64 = 10_000;

/// One channel, as the core calls it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// `netsunion`, `unionpay` or `psp`. The first listed is the default.
    pub id: String,
    pub url: String,
    /// Zone of the channel's trade times: an IANA name, or an offset such as `+08:00`.
    #[serde(default = "default_zone")]
    pub zone: String,
    /// Payment calls in flight at most.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// Queries in flight at most, apart from payments.
    #[serde(default = "default_query_concurrency")]
    pub query_concurrency: usize,
    /// Longest that a call may take in all before its outcome counts as unknown.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// Longest that one try to connect may take, TLS included; unset: a second, or the
    /// deadline if that is shorter.
    pub connect_timeout_ms: Option<u64>,
    /// Decimals of the channel's amounts by currency, where its provider documents others
    /// than this build knows of.
    #[serde(default)]
    pub decimals: BTreeMap<String, u32>,
    /// Currencies that may be sent; unset: all whose decimals are known.
    pub currencies: Option<Vec<String>>,
    /// Longest from the claim to the request's bytes: past it nothing is sent.
    #[serde(default = "default_send_within_ms")]
    pub send_within_ms: u64,
    /// Quiet time: longest that a request may take to be known to the channel once its bytes
    /// may have left; the deadline at least. "No such trade" is believed after it, never before.
    #[serde(default = "default_quiet_ms")]
    pub quiet_ms: u64,
    /// The channel's own authority, and the certificate that it asks for.
    #[serde(default)]
    pub tls: ClientTlsSettings,
    /// `http://` beyond loopback: payments can be read and changed on their way.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
}

impl ChannelConfig {
    /// Longest that one try to connect may take.
    pub fn connect(&self) -> Duration {
        Duration::from_millis(
            self.connect_timeout_ms
                .unwrap_or(DEFAULT_CONNECT_TIMEOUT_MS)
                .min(self.deadline_ms),
        )
    }

    /// Currencies that may be sent through it, and their decimals there.
    ///
    /// # Errors
    /// An id, a currency or a number of decimals that can't be.
    pub fn decimals(&self) -> anyhow::Result<ChannelDecimals> {
        ChannelDecimals::new(self.id.parse()?, &self.decimals, self.currencies.as_deref())
    }

    /// Longest that the kernel keeps trying to deliver a request's bytes.
    pub fn unacknowledged(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.min(MAX_UNACKNOWLEDGED_MS))
    }

    /// Longest from the claim to the request's bytes.
    pub fn send_within(&self) -> Duration {
        Duration::from_millis(self.send_within_ms)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let id = &self.id;
        ensure!(
            id.parse::<ChannelId>().is_ok(),
            "channels.id = {id:?}: this build knows {}",
            ChannelId::ALL.map(ChannelId::as_str).join(", ")
        );
        check_client_url(
            &format!("channels.url of {id}"),
            &self.url,
            "its plaintext_beyond_loopback = true",
            self.plaintext_beyond_loopback,
        )?;
        self.tls.check(&format!("channels.tls of {id}"))?;
        ensure!(
            (1..=4_096).contains(&self.concurrency),
            "channels.concurrency of {id} must be 1 to 4096"
        );
        ensure!(
            (1..=4_096).contains(&self.query_concurrency),
            "channels.query_concurrency of {id} must be 1 to 4096"
        );
        ensure!(
            (1..=300_000).contains(&self.deadline_ms),
            "channels.deadline_ms of {id} must be 1 to 300000"
        );
        ensure!(
            self.connect_timeout_ms
                .is_none_or(|ms| (1..=self.deadline_ms).contains(&ms)),
            "channels.connect_timeout_ms of {id} must be 1 to its deadline_ms, {}",
            self.deadline_ms
        );
        self.check_lateness()?;
        sluice_contract::clock::trade_time(0, &self.zone)
            .with_context(|| format!("channels.zone of {id}: unknown zone {:?}", self.zone))?;
        self.decimals()?;
        Ok(())
    }
}

impl ChannelConfig {
    fn check_lateness(&self) -> anyhow::Result<()> {
        let id = &self.id;
        ensure!(
            (1..=60_000).contains(&self.send_within_ms),
            "channels.send_within_ms of {id} must be 1 to 60000"
        );
        // A call that began at the send-by time is under way for its whole deadline, and the
        // kernel gives up the bytes that it left behind no later.
        ensure!(
            (self.deadline_ms..=86_400_000).contains(&self.quiet_ms),
            "channels.quiet_ms of {id} must be its deadline_ms, {} (so long the first call may be under way, and \"no such \
             trade\" is not true yet), to 86400000: make it longer, or the deadline shorter",
            self.deadline_ms
        );
        Ok(())
    }
}

/// Checks that each channel's quiet time outlasts the difference of two clocks. It begins by
/// the clock of the core that claimed and ends by that of the core that asks, and each may
/// be off by `max_skew_ms` either way.
pub(super) fn check_clocks(channels: &[ChannelConfig], max_skew_ms: u64) -> anyhow::Result<()> {
    let apart = Duration::from_millis(max_skew_ms.saturating_mul(2));
    for channel in channels {
        let (id, kernel) = (&channel.id, channel.unacknowledged());
        let least = kernel.saturating_add(apart);
        ensure!(
            Duration::from_millis(channel.quiet_ms) >= least,
            "channels.quiet_ms of {id} must be {} at least: {} in which the kernel may still deliver a request, and \
             twice mysql.max_clock_skew_ms, by which two cores' clocks may differ. Raise it, or lower \
             mysql.max_clock_skew_ms",
            least.as_millis(),
            kernel.as_millis()
        );
    }
    Ok(())
}

/// Checks each channel, that none is there twice, and that one takes the currency of
/// requests that name none.
pub(super) fn check_channels(
    channels: &[ChannelConfig],
    default_currency: Currency,
) -> anyhow::Result<()> {
    let mut seen = HashSet::new();
    for channel in channels {
        channel.check()?;
        ensure!(
            seen.insert(&channel.id),
            "channels.id = {:?} is listed twice",
            channel.id
        );
    }
    let mut takes = false;
    for channel in channels {
        takes |= channel.decimals()?.takes(default_currency);
    }
    ensure!(
        takes || channels.is_empty(),
        "default_currency = {default_currency}: no channel is known to take it (channels.decimals, channels.currencies)"
    );
    Ok(())
}

fn default_zone() -> String {
    "Asia/Shanghai".into()
}
fn default_concurrency() -> usize {
    128
}
fn default_query_concurrency() -> usize {
    64
}
fn default_deadline_ms() -> u64 {
    3_000
}
fn default_send_within_ms() -> u64 {
    10_000
}
fn default_quiet_ms() -> u64 {
    120_000
}
