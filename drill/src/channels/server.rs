//! The simulators themselves: recording payments, and what follows from them.

use crate::channels::book::{BookSummary, BookedPayment};
use crate::channels::callbacks::CallbackSender;
use crate::channels::config::SimulatorConfig;
use crate::channels::http;
use crate::channels::kind::{SimulatorKind, TradeStage};
use crate::channels::plan::{ChannelLie, PlannedReply, TradePlan, plan};
use crate::channels::script::{ActionRates, ActionScript, ChannelBehavior};
use crate::channels::trade_log::{TradeLog, key};
use crate::channels::wire::TradeMessage;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_contract::keys::{self, KeyRing, SigningKeys};
use sluice_contract::wire::ChannelPay;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How long a reply waits for the callback that shall precede it.
const CALLBACK_FIRST_TIMEOUT: Duration = Duration::from_secs(2);
/// How long connections may finish after the stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// What signs messages in both directions, in the order of `SimulatorKind::ALL`.
#[derive(Debug, Clone)]
pub struct SimulatorSecrets(Vec<KeyRing>);

impl SimulatorSecrets {
    pub fn load(config: &SimulatorConfig) -> anyhow::Result<Self> {
        let dir = config.secrets_dir.as_deref();
        let rings = SimulatorKind::ALL
            .iter()
            .map(|kind| KeyRing::load(&format!("channel_{kind}"), dir));
        Ok(SimulatorSecrets(rings.collect::<Result<_, _>>()?))
    }

    /// Secrets that never change.
    pub fn fixed(of: impl Fn(SimulatorKind) -> SigningKeys) -> Self {
        SimulatorSecrets(
            SimulatorKind::ALL
                .map(|kind| KeyRing::fixed(of(kind)))
                .to_vec(),
        )
    }

    pub fn of(&self, kind: SimulatorKind) -> Arc<SigningKeys> {
        self.0[kind.index()].get()
    }
}

/// All channels in this process. Clones are the same simulators.
#[derive(Clone)]
pub struct SimulatorServer(Arc<SimulatorInner>);

struct SimulatorInner {
    config: SimulatorConfig,
    secrets: SimulatorSecrets,
    seed: u64,
    state: Mutex<SimulatorState>,
    callbacks: CallbackSender,
    stop: CancellationToken,
}

struct SimulatorState {
    trades: TradeLog,
    behavior: [ChannelBehavior; SimulatorKind::COUNT],
    rng: StdRng,
}

/// What the caller gets to see.
pub(super) enum SimulatedReply {
    Reply(TradeMessage),
    /// The same again: nothing happened.
    Again(TradeMessage),
    Hold(Duration),
    Http500,
    Junk,
}

impl SimulatorServer {
    pub fn load(config: SimulatorConfig) -> anyhow::Result<Self> {
        let secrets = SimulatorSecrets::load(&config)?;
        tokio::spawn(keys::watch(secrets.0.clone(), |_, _| {}));
        SimulatorServer::new(config, secrets)
    }

    pub fn new(config: SimulatorConfig, secrets: SimulatorSecrets) -> anyhow::Result<Self> {
        config.check()?;
        let seed = config.seed.unwrap_or_else(|| rand::rng().random());
        let behavior = SimulatorKind::ALL.map(|kind| {
            let channel = config.channel(kind);
            ChannelBehavior::new(channel.scripts.clone(), channel.rates.clone())
        });
        let trades = TradeLog::open(config.book_file.as_deref())?;
        let state = SimulatorState {
            trades,
            behavior,
            rng: StdRng::seed_from_u64(seed),
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
        script.action.check(kind)?;
        self.lock().behavior[kind.index()].scripts.insert(0, script);
        Ok(())
    }

    pub fn set_rates(&self, kind: SimulatorKind, rates: ActionRates) -> anyhow::Result<()> {
        rates.check(kind)?;
        self.lock().behavior[kind.index()].set_rates(rates);
        Ok(())
    }

    /// Callbacks under way or waiting for their next try, and those given up.
    pub fn callbacks(&self) -> (u64, u64) {
        self.0.callbacks.counts()
    }

    pub(super) fn keys(&self, kind: SimulatorKind) -> Arc<SigningKeys> {
        self.0.secrets.of(kind)
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Takes a payment request. What follows from it goes on even if the caller
    /// hangs up at once.
    pub(super) async fn pay(
        &self,
        kind: SimulatorKind,
        pay: ChannelPay,
    ) -> anyhow::Result<SimulatedReply> {
        let pay = Arc::new(pay);
        let key = key(&pay.serial_no, &pay.trade_time);
        let plan = match self.enter(kind, &key, pay.clone())? {
            Ok(plan) => plan,
            Err(code) => {
                return Ok(SimulatedReply::Again(TradeMessage {
                    pay,
                    code: code.into(),
                }));
            }
        };
        let told = if plan.lie == Some(ChannelLie::Amount) {
            Arc::new(doubled(&pay))
        } else {
            pay
        };
        let wait = self
            .0
            .config
            .channel(kind)
            .reply_delay_ms
            .saturating_add(plan.wait_ms);
        self.follow(kind, key, &plan).await;
        if wait > 0 {
            sleep(Duration::from_millis(wait)).await;
        }
        Ok(match plan.say {
            PlannedReply::Code(code) => SimulatedReply::Reply(TradeMessage { pay: told, code }),
            PlannedReply::Hold(ms) => SimulatedReply::Hold(Duration::from_millis(ms)),
            PlannedReply::Http500 => SimulatedReply::Http500,
            PlannedReply::Junk => SimulatedReply::Junk,
        })
    }

    /// A trade as it is now, by serial number and a trade time of the same date.
    pub(super) fn query(
        &self,
        kind: SimulatorKind,
        serial_no: &str,
        trade_time: &str,
    ) -> Option<TradeMessage> {
        let state = self.lock();
        let trade = state.trades.get(kind, &key(serial_no, trade_time))?;
        Some(TradeMessage {
            pay: trade.pay.clone(),
            code: kind.result(trade.stage).into(),
        })
    }

    /// Records a new payment and says what follows; a known one is answered by
    /// its code at once.
    fn enter(
        &self,
        kind: SimulatorKind,
        key: &str,
        pay: Arc<ChannelPay>,
    ) -> anyhow::Result<Result<TradePlan, &'static str>> {
        let mut state = self.lock();
        if let Some(known) = state.trades.get(kind, key) {
            let same = known.pay.to_account == pay.to_account
                && known.pay.amount == pay.amount
                && known.pay.currency == pay.currency;
            return Ok(Err(if same {
                kind.duplicate(known.stage)
            } else {
                kind.conflict()
            }));
        }
        let SimulatorState {
            behavior,
            rng,
            trades,
        } = &mut *state;
        let action = behavior[kind.index()].choose(&pay.to_account, rng);
        let plan = plan(kind, &action, self.0.config.channel(kind).callback_delay_ms);
        if let Some(stage) = plan.stage {
            trades.enter(kind, key.to_owned(), pay, stage)?;
        }
        Ok(Ok(plan))
    }

    async fn follow(&self, kind: SimulatorKind, key: String, plan: &TradePlan) {
        let quiet = plan.tell_ms.is_empty() && plan.return_ms.is_none() && plan.lie.is_none();
        if plan.settle.is_none() && quiet {
            return;
        }
        let mut plan = plan.clone();
        if plan.tell_first && !plan.tell_ms.is_empty() {
            plan.tell_ms.remove(0);
            let told = self.clone().tell(
                kind,
                key.clone(),
                plan.lie.filter(|l| *l == ChannelLie::Amount),
            );
            // Goes on in its own task if the core takes longer.
            let _ = timeout(CALLBACK_FIRST_TIMEOUT, self.background(told)).await;
        }
        self.background(self.clone().unfold(kind, key, plan));
    }

    /// Settles, tells and gives back, each at its time.
    async fn unfold(self, kind: SimulatorKind, key: String, plan: TradePlan) {
        if let Some((ms, stage)) = plan.settle {
            sleep(Duration::from_millis(ms)).await;
            if !self.settle(kind, &key, stage) {
                return;
            }
        }
        let known = Instant::now();
        for ms in plan.tell_ms {
            sleep_until(known + Duration::from_millis(ms)).await;
            self.background(self.clone().tell(
                kind,
                key.clone(),
                plan.lie.filter(|l| *l == ChannelLie::Amount),
            ));
        }
        if let Some(ChannelLie::Failed(ms)) = plan.lie {
            sleep_until(known + Duration::from_millis(ms)).await;
            self.background(self.clone().tell(kind, key.clone(), plan.lie));
        }
        if let Some(ms) = plan.return_ms {
            sleep_until(known + Duration::from_millis(ms)).await;
            if self.settle(kind, &key, TradeStage::Returned) {
                self.tell(kind, key, None).await;
            }
        }
    }

    fn settle(&self, kind: SimulatorKind, key: &str, stage: TradeStage) -> bool {
        let settled = self.lock().trades.settle(kind, key, stage);
        if let Err(error) = &settled {
            tracing::error!(channel = %kind, "{error:#}");
        }
        settled.is_ok()
    }

    /// Tells the stage as it is now, or a lie, until somebody listens.
    async fn tell(self, kind: SimulatorKind, key: String, lie: Option<ChannelLie>) {
        let said = {
            let state = self.lock();
            state.trades.get(kind, &key).map(|t| TradeMessage {
                pay: t.pay.clone(),
                code: kind.result(t.stage).into(),
            })
        };
        if let Some(mut said) = said {
            match lie {
                Some(ChannelLie::Amount) => said.pay = Arc::new(doubled(&said.pay)),
                Some(ChannelLie::Failed(_)) => said.code = kind.result(TradeStage::Failed).into(),
                None => {}
            }
            self.0.callbacks.deliver(kind, &said).await;
        }
    }

    /// Trades that an earlier run left in process are settled as paid. Callbacks
    /// that it still owed for settled ones are gone: only queries find them out.
    fn resume(&self) {
        for kind in SimulatorKind::ALL {
            let delay_ms = self.0.config.channel(kind).callback_delay_ms;
            let open = self.lock().trades.in_process(kind);
            for key in open {
                let plan = plan(
                    kind,
                    &crate::channels::ScriptedAction::InProcessThenNotify { ms: delay_ms },
                    delay_ms,
                );
                self.background(self.clone().unfold(kind, key, plan));
            }
        }
    }

    fn background(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let stop = self.0.stop.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(work).await;
        })
    }

    /// Held for map look-ups and one write to the file, never across an await.
    fn lock(&self) -> MutexGuard<'_, SimulatorState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn doubled(pay: &ChannelPay) -> ChannelPay {
    ChannelPay {
        amount: pay.amount.saturating_add(pay.amount),
        ..pay.clone()
    }
}
