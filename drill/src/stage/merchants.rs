//! Honest merchants: payers pay them, which Kafka tells and the core captures; then
//! they settle a part of each payment and refund another.

use crate::load::request::LoadTarget;
use crate::load::{LoadReport, OpenLoad, open};
use crate::stage::DrillStage;
use crate::stage::traffic::REQUEST_TIMEOUT;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, PAYMENT_SUCCEEDED};
use std::time::{Duration, Instant};

/// Of each payment: what is paid, settled and refunded.
const PAID_AMOUNT: i64 = 100;
const SETTLED_AMOUNT: &str = "60.00";
const REFUNDED_AMOUNT: &str = "30.00";
/// The core captures within this what was published: a consumer group that has just
/// lost a member takes some seconds to share out its partitions again.
const CAPTURE_TIMEOUT: Duration = Duration::from_secs(40);

/// One run of merchants. Request `2p` settles a part of payment `p`, `2p + 1` refunds
/// one.
#[derive(Debug, Clone)]
pub struct MerchantTraffic {
    pub run: String,
    pub merchants: u64,
}

impl MerchantTraffic {
    pub fn new(run: &str, merchants: u64) -> Self {
        MerchantTraffic {
            run: run.into(),
            merchants,
        }
    }

    pub fn account(&self, payment: u64) -> String {
        format!("M{:04}", payment % self.merchants)
    }

    pub fn payment_no(&self, payment: u64) -> String {
        format!("{}-{payment}", self.run)
    }

    /// The account that pays, to which a refund goes back.
    pub fn payer(&self, payment: u64) -> String {
        format!("payer-{}-{}", self.run, 2 * payment + 1)
    }

    pub fn event(&self, payment: u64) -> BusinessEvent {
        BusinessEvent {
            id: format!("paid-{}", self.payment_no(payment)),
            kind: PAYMENT_SUCCEEDED.into(),
            account_id: self.account(payment),
            biz_no: self.payment_no(payment),
            amount: Decimal::from(PAID_AMOUNT),
            currency: "CNY".into(),
            occurred_us: now_us(),
            payer_account_id: Some(self.payer(payment)),
            client: None,
        }
    }

    /// Payers pay: told on Kafka, and captured by a core.
    pub async fn pay(&self, stage: &DrillStage, payments: u64) -> anyhow::Result<()> {
        for payment in 0..payments {
            stage.events.queue(&self.event(payment)).await?;
        }
        stage.events.flush(Duration::from_secs(30)).await?;
        self.wait_for(stage, payments).await
    }

    /// Waits until so many payments of this run are captured.
    pub async fn wait_for(&self, stage: &DrillStage, payments: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        let sql = format!(
            "SELECT COUNT(*) FROM {}.capture WHERE payment_no LIKE ?",
            stage.schemas.balance
        );
        loop {
            let mut conn = stage.pool.get_conn().await?;
            let captured: u64 = conn
                .exec_first(&sql, (format!("{}-%", self.run),))
                .await?
                .unwrap_or(0);
            if captured == payments {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < CAPTURE_TIMEOUT,
                "{captured} of {payments} payments are captured"
            );
            drop(conn);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes request `n`.
    pub fn request(&self, target: &LoadTarget, n: u64, out: &mut Vec<u8>) {
        let (account, payment) = (self.account(n / 2), self.payment_no(n / 2));
        let key = format!("{}-{n}", self.run);
        let named = format!(
            r#""accountId":"{account}","paymentNo":"{payment}","bizNo":"{key}","currency":"CNY""#
        );
        if n.is_multiple_of(2) {
            target.post(
                out,
                "/settlement",
                Some(&key),
                &format!(r#"{{{named},"amount":"{SETTLED_AMOUNT}"}}"#),
            );
        } else {
            let channel = if n % 4 == 1 { "netsunion" } else { "unionpay" };
            let json = format!(
                r#"{{{named},"amount":"{REFUNDED_AMOUNT}","toAccountId":"{}","userId":"payer","channel":"{channel}"}}"#,
                self.payer(n / 2)
            );
            target.post(out, "/refund", Some(&key), &json);
        }
    }

    /// Payers pay first, then requests come at `rate` a second for `time`.
    pub async fn open(
        &self,
        stage: &DrillStage,
        rate: u64,
        time: Duration,
    ) -> anyhow::Result<LoadReport> {
        self.pay(stage, rate * time.as_secs() / 2 + 1).await?;
        let (this, target) = (self.clone(), stage.target());
        let load = OpenLoad {
            address: target.address.clone(),
            rate,
            duration: time,
            connections: 16,
            deadline: REQUEST_TIMEOUT,
        };
        open(
            load,
            move |n, out: &mut Vec<u8>| this.request(&target, n, out),
            |_, _, _: &[u8]| {},
        )
        .await
    }
}
