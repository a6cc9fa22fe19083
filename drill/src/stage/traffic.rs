//! Honest load: an upstream that tells its event first and then submits, over
//! many accounts and, unless told otherwise, two channels.

use crate::load::request::{LoadTarget, LoadWithdrawal};
use crate::load::{LoadEnd, LoadReport, OpenLoad, closed, open};
use crate::stage::DrillStage;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED, WITHDRAW_REQUESTED};
use std::time::Duration;

/// Every honest order is of this much: small against what accounts get.
pub const ORDER_AMOUNT: &str = "1.25";
const ORDER_CURRENCY: &str = "CNY";
/// An answer later than this counts as none.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Names of one run of load: order `n` is always of the same account, payee,
/// business number and channel.
#[derive(Debug, Clone)]
pub struct Traffic {
    pub run: String,
    pub accounts: u64,
    /// Put before payees, so that scripts of the simulators can tell runs apart.
    pub payee: String,
    /// Channels in turn; an order at an empty name wishes for none.
    pub channels: Vec<&'static str>,
}

impl Traffic {
    pub fn new(run: &str, accounts: u64) -> Self {
        Traffic {
            run: run.into(),
            accounts,
            payee: "payee".into(),
            channels: vec!["netsunion", "unionpay"],
        }
    }

    pub fn account(&self, n: u64) -> String {
        format!("A{:05}", n * 7_919 % self.accounts)
    }

    fn biz_no(&self, n: u64) -> String {
        format!("{}-{n}", self.run)
    }

    fn event(&self, n: u64) -> BusinessEvent {
        BusinessEvent {
            id: format!("ask-{}", self.biz_no(n)),
            kind: WITHDRAW_REQUESTED.into(),
            account_id: self.account(n),
            biz_no: self.biz_no(n),
            amount: Decimal::new(125, 2),
            currency: ORDER_CURRENCY.into(),
            occurred_us: now_us(),
            payer_account_id: None,
            client: None,
        }
    }

    /// Writes the request of order `n`.
    pub fn request(&self, target: &LoadTarget, n: u64, out: &mut Vec<u8>) {
        let biz_no = self.biz_no(n);
        let withdrawal = LoadWithdrawal {
            from_account: &self.account(n),
            to_account: &format!("{}-{n}", self.payee),
            amount: ORDER_AMOUNT,
            currency: ORDER_CURRENCY,
            user_id: "user-1",
            transaction_id: &biz_no,
            biz_no: &biz_no,
            channel: Some(self.channels[(n % self.channels.len() as u64) as usize])
                .filter(|channel| !channel.is_empty()),
        };
        target.submit(out, &withdrawal);
    }

    /// Tells the events of the orders to come, before any is submitted.
    pub async fn tell(&self, stage: &DrillStage, count: u64) -> anyhow::Result<()> {
        for n in 0..count {
            stage.events.queue(&self.event(n)).await?;
        }
        stage.events.flush(Duration::from_secs(30)).await?;
        Ok(())
    }

    /// Submits at `rate` a second for `time`, whatever the core does.
    pub async fn open(
        &self,
        stage: &DrillStage,
        rate: u64,
        time: Duration,
    ) -> anyhow::Result<LoadReport> {
        self.open_at(stage, stage.target(), rate, time).await
    }

    /// Submits to another core than the stage's first.
    pub async fn open_at(
        &self,
        stage: &DrillStage,
        target: LoadTarget,
        rate: u64,
        time: Duration,
    ) -> anyhow::Result<LoadReport> {
        self.tell(stage, rate * time.as_secs() + 1).await?;
        let this = self.clone();
        let load = OpenLoad {
            address: target.address.clone(),
            rate,
            duration: time,
            connections: 128,
            deadline: REQUEST_TIMEOUT,
        };
        open(
            load,
            move |n, out: &mut Vec<u8>| this.request(&target, n, out),
            |_, _, _: &[u8]| {},
        )
        .await
    }

    /// Gives every account of the run money: the deposit's event, then its booking.
    pub async fn fund(&self, stage: &DrillStage, amount: u64) -> anyhow::Result<()> {
        let run = self.run.clone();
        let biz_no = move |n: u64| format!("fund-{run}-{n}");
        for n in 0..self.accounts {
            let event = BusinessEvent {
                id: biz_no(n),
                kind: DEPOSIT_RECEIVED.into(),
                account_id: format!("A{n:05}"),
                biz_no: biz_no(n),
                amount: Decimal::from(amount),
                currency: ORDER_CURRENCY.into(),
                occurred_us: now_us(),
                payer_account_id: None,
                client: None,
            };
            stage.events.queue(&event).await?;
        }
        stage.events.flush(Duration::from_secs(30)).await?;
        let target = stage.target();
        let load = crate::load::ClosedLoad {
            address: target.address.clone(),
            connections: 32,
            until: LoadEnd::Count(self.accounts),
            deadline: REQUEST_TIMEOUT,
        };
        let amount = amount.to_string();
        let make = move |n: u64, out: &mut Vec<u8>| {
            let (account, biz_no) = (format!("A{n:05}"), biz_no(n));
            let deposit = crate::load::request::LoadDeposit {
                account: &account,
                amount: &amount,
                currency: ORDER_CURRENCY,
                biz_no: &biz_no,
            };
            target.deposit(out, &deposit);
        };
        let report = closed(load, make, |_, _, _: &[u8]| {}).await?;
        anyhow::ensure!(
            report.succeeded() == self.accounts,
            "funding failed: {:?}",
            report.statuses
        );
        Ok(())
    }
}
