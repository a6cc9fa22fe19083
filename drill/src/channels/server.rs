//! The simulators as one server: started, served until a stop, looked at and scripted.

use crate::channels::book::trade_log::TradeLog;
use crate::channels::book::{BookSummary, BookedPayment};
use crate::channels::callbacks::CallbackSender;
use crate::channels::config::SimulatorConfig;
use crate::channels::http;
use crate::channels::kinds::backend::{SimulatedReply, TradeBackend};
use crate::channels::kinds::{SimulatorKind, TradeMessage};
use crate::channels::script::bend::FieldBend;
use crate::channels::script::rates::ActionRates;
use crate::channels::script::{ActionScript, ChannelBehavior};
use crate::channels::secrets::SimulatorSecrets;
use ahash::AHashMap;
use futures_util::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_contract::keys::SigningKeys;
use sluice_contract::wire::ChannelPay;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Connections may finish for this long after the stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// All channels in this process. Clones are the same simulators.
#[derive(Clone)]
pub struct SimulatorServer(pub(super) Arc<SimulatorInner>);

pub(super) struct SimulatorInner {
    pub config: SimulatorConfig,
    secrets: SimulatorSecrets,
    seed: u64,
    state: Mutex<SimulatorState>,
    pub callbacks: CallbackSender,
    pub stop: CancellationToken,
    /// Requests that were sent and have yet to arrive.
    pub late: AtomicU64,
}

pub(super) struct SimulatorState {
    pub trades: TradeLog,
    pub behavior: [ChannelBehavior; SimulatorKind::COUNT],
    pub rng: StdRng,
    /// Bends that are still to be made, by channel and idempotency key.
    pub bends: AHashMap<(SimulatorKind, String), FieldBend>,
}

impl SimulatorServer {
    pub fn load(config: SimulatorConfig) -> anyhow::Result<Self> {
        let secrets = SimulatorSecrets::load(&config)?;
        secrets.watch();
        SimulatorServer::new(config, secrets)
    }

    pub fn new(config: SimulatorConfig, secrets: SimulatorSecrets) -> anyhow::Result<Self> {
        config.check()?;
        let seed = config.seed.unwrap_or_else(|| rand::rng().random());
        let behavior = SimulatorKind::ALL.map(|kind| {
            let channel = &config.channels[kind];
            ChannelBehavior::new(channel.scripts.clone(), channel.rates.clone())
        });
        let trades = TradeLog::open(config.book_file.as_deref())?;
        let state = SimulatorState {
            trades,
            behavior,
            rng: StdRng::seed_from_u64(seed),
            bends: AHashMap::new(),
        };
        let callbacks = CallbackSender::new(
            &config.callback_url,
            config.callback_concurrency,
            secrets.clone(),
        )?;
        let stop = CancellationToken::new();
        Ok(SimulatorServer(Arc::new(SimulatorInner {
            config,
            secrets,
            seed,
            state: Mutex::new(state),
            callbacks,
            stop,
            late: AtomicU64::new(0),
        })))
    }

    /// Serves all channels until `shutdown`; callbacks still due are then lost,
    /// as they are when a channel's machine dies.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        tracing::info!(seed = self.0.seed, address = %listener.local_addr()?, "channel simulators");
        self.resume();
        let stop = self.0.stop.clone();
        let end = async move {
            shutdown.cancelled().await;
            stop.cancel();
        };
        let drained = async {
            self.0.stop.cancelled().await;
            sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            result = http::serve(self.clone(), listener, end) => result,
            () = drained => Ok(()),
        }
    }

    /// The seed of all chances, to repeat a run.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Everything that was really paid, on all channels, in order.
    pub fn book(&self) -> Vec<BookedPayment> {
        self.page(None, 0, usize::MAX).0
    }

    /// At most `limit` payments from position `after`, and where to go on.
    pub fn page(
        &self,
        kind: Option<SimulatorKind>,
        after: usize,
        limit: usize,
    ) -> (Vec<BookedPayment>, Option<usize>) {
        self.lock().trades.book.page(kind, after, limit)
    }

    /// Of one channel, or of all.
    pub fn summary(&self, kind: Option<SimulatorKind>) -> BookSummary {
        self.lock().trades.book.summary(kind)
    }

    /// Adds a script before the present ones.
    pub fn add_script(&self, kind: SimulatorKind, script: ActionScript) -> anyhow::Result<()> {
        kind.check_action(&script.action)?;
        self.lock().behavior[kind.index()].scripts.insert(0, script);
        Ok(())
    }

    pub fn set_rates(&self, kind: SimulatorKind, rates: ActionRates) -> anyhow::Result<()> {
        kind.check_rates(&rates)?;
        self.lock().behavior[kind.index()].set_rates(rates);
        Ok(())
    }

    /// Callbacks under way or waiting for their next try, and those given up.
    pub fn callbacks(&self) -> (u64, u64) {
        self.0.callbacks.counts()
    }

    /// Late requests that have yet to arrive: the book isn't final before none is left.
    pub fn late_requests(&self) -> u64 {
        self.0.late.load(Ordering::Relaxed)
    }

    /// Held for map look-ups and one write to the file, never across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, SimulatorState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TradeBackend for SimulatorServer {
    fn pay(
        &self,
        kind: SimulatorKind,
        pay: ChannelPay,
    ) -> BoxFuture<'_, anyhow::Result<SimulatedReply>> {
        Box::pin(self.take_payment(kind, pay))
    }

    fn query(
        &self,
        kind: SimulatorKind,
        serial_no: &str,
        trade_time: &str,
    ) -> Option<TradeMessage> {
        self.find_trade(kind, serial_no, trade_time)
    }

    fn keys(&self, kind: SimulatorKind) -> Arc<SigningKeys> {
        self.0.secrets.of(kind)
    }

    fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }
}
