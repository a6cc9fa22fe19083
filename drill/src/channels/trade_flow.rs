//! The way of one payment through a simulator: entered, answered, settled, told, and
//! perhaps given back.

use crate::channels::book::trade_log::key;
use crate::channels::kinds::backend::SimulatedReply;
use crate::channels::kinds::{SimulatorKind, TradeMessage, TradeStage};
use crate::channels::plan::{ChannelLie, PlannedReply, TradePlan, late_arrival, plan};
use crate::channels::script::ScriptedAction;
use crate::channels::server::{SimulatorServer, SimulatorState};
use sluice_contract::wire::ChannelPay;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A reply waits this long for the callback that shall precede it.
const CALLBACK_FIRST_TIMEOUT: Duration = Duration::from_secs(2);
impl SimulatorServer {
    /// Takes a payment request. What follows from it goes on even if the caller
    /// hangs up at once.
    pub(super) async fn take_payment(
        &self,
        kind: SimulatorKind,
        pay: ChannelPay,
    ) -> anyhow::Result<SimulatedReply> {
        let pay = Arc::new(pay);
        let key = key(&pay.serial_no, &pay.trade_time);
        let plan = match self.take_request(kind, &key, pay.clone())? {
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
        let reply_delay_ms = self.0.config.channels[kind].reply_delay_ms;
        let wait = reply_delay_ms.saturating_add(plan.wait_ms);
        match plan.arrive_ms {
            Some(ms) => {
                self.0.late.fetch_add(1, Ordering::Relaxed);
                self.background(self.clone().arrive_late(kind, key, told.clone(), ms));
            }
            None => self.follow(kind, key, &plan).await,
        }
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
    pub(super) fn find_trade(
        &self,
        kind: SimulatorKind,
        serial_no: &str,
        trade_time: &str,
    ) -> Option<TradeMessage> {
        let state = self.lock();
        let trade = state.trades.get(kind, &key(serial_no, trade_time))?;
        Some(TradeMessage {
            pay: trade.pay.clone(),
            code: kind.simulator().result(trade.stage).into(),
        })
    }

    /// Chooses what happens to a new payment and records it; a known one is answered by its
    /// code at once.
    fn take_request(
        &self,
        kind: SimulatorKind,
        key: &str,
        pay: Arc<ChannelPay>,
    ) -> anyhow::Result<Result<TradePlan, &'static str>> {
        let mut state = self.lock();
        if let Some(code) = known_code(&state, kind, key, &pay) {
            return Ok(Err(code));
        }
        let SimulatorState { behavior, rng, .. } = &mut *state;
        let action = behavior[kind.index()].choose(&pay.to_account, rng);
        let delay_ms = self.0.config.channels[kind].callback_delay_ms;
        let plan = plan(kind, &action, delay_ms);
        enter(&mut state, kind, key, pay, &plan)?;
        Ok(Ok(plan))
    }

    /// Gets a request `ms` after it was sent. By then the channel may know its serial
    /// number from another one.
    async fn arrive_late(self, kind: SimulatorKind, key: String, pay: Arc<ChannelPay>, ms: u64) {
        sleep(Duration::from_millis(ms)).await;
        let plan = late_arrival(kind, self.0.config.channels[kind].callback_delay_ms);
        let entered = self.enter_late(kind, &key, pay, &plan);
        self.0.late.fetch_sub(1, Ordering::Relaxed);
        match entered {
            Ok(true) => self.follow(kind, key, &plan).await,
            Ok(false) => {}
            Err(error) => tracing::error!(channel = %kind, "{error:#}"),
        }
    }

    /// Tells whether the late request is news to the channel, and records it then.
    fn enter_late(
        &self,
        kind: SimulatorKind,
        key: &str,
        pay: Arc<ChannelPay>,
        plan: &TradePlan,
    ) -> anyhow::Result<bool> {
        let mut state = self.lock();
        if known_code(&state, kind, key, &pay).is_some() {
            return Ok(false);
        }
        enter(&mut state, kind, key, pay, plan).map(|()| true)
    }

    async fn follow(&self, kind: SimulatorKind, key: String, plan: &TradePlan) {
        if plan.is_over_with_reply() {
            return;
        }
        let mut plan = plan.clone();
        if plan.tell_first && !plan.tell_ms.is_empty() {
            plan.tell_ms.remove(0);
            let told = self.clone().tell(kind, key.clone(), first_lie(&plan));
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
        let (known, lie) = (Instant::now(), first_lie(&plan));
        for ms in plan.tell_ms {
            sleep_until(known + Duration::from_millis(ms)).await;
            self.background(self.clone().tell(kind, key.clone(), lie));
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
                code: kind.simulator().result(t.stage).into(),
            })
        };
        if let Some(mut said) = said {
            match lie {
                Some(ChannelLie::Amount) => said.pay = Arc::new(doubled(&said.pay)),
                Some(ChannelLie::Failed(_)) => {
                    said.code = kind.simulator().result(TradeStage::Failed).into()
                }
                None => {}
            }
            self.0.callbacks.deliver(kind, &said).await;
        }
    }

    /// Trades that an earlier run left in process are settled as paid. Callbacks
    /// that it still owed for settled ones are gone: only queries find them out.
    pub(super) fn resume(&self) {
        for kind in SimulatorKind::ALL {
            let delay_ms = self.0.config.channels[kind].callback_delay_ms;
            let open = self.lock().trades.in_process(kind);
            for key in open {
                let settles = ScriptedAction::InProcessThenNotify { ms: delay_ms };
                let plan = plan(kind, &settles, delay_ms);
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
}

/// Finds the code that answers a request under a known serial number.
fn known_code(
    state: &SimulatorState,
    kind: SimulatorKind,
    key: &str,
    pay: &ChannelPay,
) -> Option<&'static str> {
    let known = state.trades.get(kind, key)?;
    let same = known.pay.to_account == pay.to_account
        && known.pay.amount == pay.amount
        && known.pay.currency == pay.currency;
    Some(if same {
        kind.simulator().duplicate(known.stage)
    } else {
        kind.simulator().conflict()
    })
}

/// Records a new payment, if the plan lets the channel know of it.
fn enter(
    state: &mut SimulatorState,
    kind: SimulatorKind,
    key: &str,
    pay: Arc<ChannelPay>,
    plan: &TradePlan,
) -> anyhow::Result<()> {
    match plan.stage {
        Some(stage) => state.trades.enter(kind, key.to_owned(), pay, stage),
        None => Ok(()),
    }
}

/// The lie of callbacks that tell the result; that it failed is told later.
fn first_lie(plan: &TradePlan) -> Option<ChannelLie> {
    plan.lie.filter(|lie| *lie == ChannelLie::Amount)
}

fn doubled(pay: &ChannelPay) -> ChannelPay {
    ChannelPay {
        amount: pay.amount.saturating_add(pay.amount),
        ..pay.clone()
    }
}
