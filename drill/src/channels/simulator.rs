//! The simulators themselves: recording payments, and what follows from them.

use super::book::{Paid, Summary};
use super::callbacks::Callbacks;
use super::config::SimConfig;
use super::http;
use super::kind::{Kind, Stage};
use super::plan::{Lie, Plan, Say, plan};
use super::script::{Manners, Rates, Script};
use super::trades::{Trades, key};
use super::wire::Said;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_contract::keys::{self, KeyRing, Keys};
use sluice_contract::wire::ChannelPay;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How long a reply waits for the callback that shall precede it.
const CALLBACK_FIRST: Duration = Duration::from_secs(2);
/// How long connections may finish after the stop.
const DRAIN: Duration = Duration::from_secs(2);

/// What signs messages in both directions, in the order of `Kind::ALL`.
#[derive(Debug, Clone)]
pub struct Secrets(Vec<KeyRing>);

impl Secrets {
    pub fn load(config: &SimConfig) -> anyhow::Result<Self> {
        let dir = config.secrets_dir.as_deref();
        let rings = Kind::ALL
            .iter()
            .map(|kind| KeyRing::load(&format!("channel_{kind}"), dir));
        Ok(Secrets(rings.collect::<Result<_, _>>()?))
    }

    /// Secrets that never change.
    pub fn fixed(of: impl Fn(Kind) -> Keys) -> Self {
        Secrets(Kind::ALL.map(|kind| KeyRing::fixed(of(kind))).to_vec())
    }

    pub fn of(&self, kind: Kind) -> Arc<Keys> {
        self.0[kind.index()].get()
    }
}

/// All channels in this process. Clones are the same simulators.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    config: SimConfig,
    secrets: Secrets,
    seed: u64,
    state: Mutex<State>,
    callbacks: Callbacks,
    stop: CancellationToken,
}

struct State {
    trades: Trades,
    manners: [Manners; Kind::COUNT],
    rng: StdRng,
}

/// What the caller gets to see.
pub(super) enum Shown {
    Reply(Said),
    /// The same again: nothing happened.
    Again(Said),
    Hold(Duration),
    Http500,
    Junk,
}

impl Simulator {
    pub fn load(config: SimConfig) -> anyhow::Result<Self> {
        let secrets = Secrets::load(&config)?;
        tokio::spawn(keys::watch(secrets.0.clone(), |_, _| {}));
        Simulator::new(config, secrets)
    }

    pub fn new(config: SimConfig, secrets: Secrets) -> anyhow::Result<Self> {
        config.check()?;
        let seed = config.seed.unwrap_or_else(|| rand::rng().random());
        let manners = Kind::ALL.map(|kind| {
            let channel = config.channel(kind);
            Manners::new(channel.scripts.clone(), channel.rates.clone())
        });
        let trades = Trades::open(config.book_file.as_deref())?;
        let state = State {
            trades,
            manners,
            rng: StdRng::seed_from_u64(seed),
        };
        let callbacks = Callbacks::new(
            &config.callback_url,
            config.callback_concurrency,
            secrets.clone(),
        )?;
        let stop = CancellationToken::new();
        Ok(Simulator(Arc::new(Inner {
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
            sleep(DRAIN).await;
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
    pub fn book(&self) -> Vec<Paid> {
        self.page(None, 0, usize::MAX).0
    }

    /// At most `limit` payments from position `after`, and where to go on.
    pub fn page(
        &self,
        kind: Option<Kind>,
        after: usize,
        limit: usize,
    ) -> (Vec<Paid>, Option<usize>) {
        self.lock().trades.book.page(kind, after, limit)
    }

    /// Of one channel, or of all.
    pub fn summary(&self, kind: Option<Kind>) -> Summary {
        self.lock().trades.book.summary(kind)
    }

    /// Adds a script before the present ones.
    pub fn add_script(&self, kind: Kind, script: Script) -> anyhow::Result<()> {
        script.action.check(kind)?;
        self.lock().manners[kind.index()].scripts.insert(0, script);
        Ok(())
    }

    pub fn set_rates(&self, kind: Kind, rates: Rates) -> anyhow::Result<()> {
        rates.check(kind)?;
        self.lock().manners[kind.index()].set_rates(rates);
        Ok(())
    }

    /// Callbacks under way or waiting for their next try, and those given up.
    pub fn callbacks(&self) -> (u64, u64) {
        self.0.callbacks.counts()
    }

    pub(super) fn keys(&self, kind: Kind) -> Arc<Keys> {
        self.0.secrets.of(kind)
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Takes a payment request. What follows from it goes on even if the caller
    /// hangs up at once.
    pub(super) async fn pay(&self, kind: Kind, pay: ChannelPay) -> anyhow::Result<Shown> {
        let pay = Arc::new(pay);
        let key = key(&pay.serial_no, &pay.trade_time);
        let plan = match self.enter(kind, &key, pay.clone())? {
            Ok(plan) => plan,
            Err(code) => {
                return Ok(Shown::Again(Said {
                    pay,
                    code: code.into(),
                }));
            }
        };
        let told = if plan.lie == Some(Lie::Amount) {
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
            Say::Code(code) => Shown::Reply(Said { pay: told, code }),
            Say::Hold(ms) => Shown::Hold(Duration::from_millis(ms)),
            Say::Http500 => Shown::Http500,
            Say::Junk => Shown::Junk,
        })
    }

    /// A trade as it is now, by serial number and a trade time of the same date.
    pub(super) fn query(&self, kind: Kind, serial_no: &str, trade_time: &str) -> Option<Said> {
        let state = self.lock();
        let trade = state.trades.get(kind, &key(serial_no, trade_time))?;
        Some(Said {
            pay: trade.pay.clone(),
            code: kind.result(trade.stage).into(),
        })
    }

    /// Records a new payment and says what follows; a known one is answered by
    /// its code at once.
    fn enter(
        &self,
        kind: Kind,
        key: &str,
        pay: Arc<ChannelPay>,
    ) -> anyhow::Result<Result<Plan, &'static str>> {
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
        let State {
            manners,
            rng,
            trades,
        } = &mut *state;
        let action = manners[kind.index()].choose(&pay.to_account, rng);
        let plan = plan(kind, &action, self.0.config.channel(kind).callback_delay_ms);
        if let Some(stage) = plan.stage {
            trades.enter(kind, key.to_owned(), pay, stage)?;
        }
        Ok(Ok(plan))
    }

    async fn follow(&self, kind: Kind, key: String, plan: &Plan) {
        let quiet = plan.tell_ms.is_empty() && plan.return_ms.is_none() && plan.lie.is_none();
        if plan.settle.is_none() && quiet {
            return;
        }
        let mut plan = plan.clone();
        if plan.tell_first && !plan.tell_ms.is_empty() {
            plan.tell_ms.remove(0);
            let told = self
                .clone()
                .tell(kind, key.clone(), plan.lie.filter(|l| *l == Lie::Amount));
            // Goes on in its own task if the core takes longer.
            let _ = timeout(CALLBACK_FIRST, self.background(told)).await;
        }
        self.background(self.clone().unfold(kind, key, plan));
    }

    /// Settles, tells and gives back, each at its time.
    async fn unfold(self, kind: Kind, key: String, plan: Plan) {
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
                plan.lie.filter(|l| *l == Lie::Amount),
            ));
        }
        if let Some(Lie::Failed(ms)) = plan.lie {
            sleep_until(known + Duration::from_millis(ms)).await;
            self.background(self.clone().tell(kind, key.clone(), plan.lie));
        }
        if let Some(ms) = plan.return_ms {
            sleep_until(known + Duration::from_millis(ms)).await;
            if self.settle(kind, &key, Stage::Returned) {
                self.tell(kind, key, None).await;
            }
        }
    }

    fn settle(&self, kind: Kind, key: &str, stage: Stage) -> bool {
        let settled = self.lock().trades.settle(kind, key, stage);
        if let Err(error) = &settled {
            tracing::error!(channel = %kind, "{error:#}");
        }
        settled.is_ok()
    }

    /// Tells the stage as it is now, or a lie, until somebody listens.
    async fn tell(self, kind: Kind, key: String, lie: Option<Lie>) {
        let said = {
            let state = self.lock();
            state.trades.get(kind, &key).map(|t| Said {
                pay: t.pay.clone(),
                code: kind.result(t.stage).into(),
            })
        };
        if let Some(mut said) = said {
            match lie {
                Some(Lie::Amount) => said.pay = Arc::new(doubled(&said.pay)),
                Some(Lie::Failed(_)) => said.code = kind.result(Stage::Failed).into(),
                None => {}
            }
            self.0.callbacks.deliver(kind, &said).await;
        }
    }

    /// Trades that an earlier run left in process are settled as paid. Callbacks
    /// that it still owed for settled ones are gone: only queries find them out.
    fn resume(&self) {
        for kind in Kind::ALL {
            let delay_ms = self.0.config.channel(kind).callback_delay_ms;
            let open = self.lock().trades.in_process(kind);
            for key in open {
                let plan = plan(
                    kind,
                    &super::Action::InProcessThenNotify { ms: delay_ms },
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn doubled(pay: &ChannelPay) -> ChannelPay {
    ChannelPay {
        amount: pay.amount.saturating_add(pay.amount),
        ..pay.clone()
    }
}
