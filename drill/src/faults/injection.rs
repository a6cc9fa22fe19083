//! Makes a fault, watches what happens, and lets a person clean up.

use crate::faults::{FaultKind, signed};
use crate::stage::DrillStage;
use crate::stage::client::UpstreamSubmit;
use anyhow::{Context, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED, WITHDRAW_REQUESTED};
use sluice_contract::sql;
use std::time::{Duration, Instant};

/// A fault may go unseen for this long before it counts as missed.
const DETECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between two looks at the breaker: the resolution of `detect_ms`.
const BREAKER_POLL_INTERVAL: Duration = Duration::from_micros(300);
/// The bad order is given this long to leave before the leak is measured.
const LEAK_WAIT: Duration = Duration::from_millis(1_500);

/// The outcome of one fault.
#[derive(Debug, Clone, Serialize)]
pub struct FaultOutcome {
    pub kind: &'static str,
    pub detected: bool,
    pub rule: String,
    pub breaker: String,
    /// From the return of the fault's commit to the breaker's commit seen open.
    #[serde(serialize_with = "milliseconds")]
    pub detect_ms: Option<Duration>,
    /// Money of the fault that a channel paid out, in major units.
    #[serde(with = "rust_decimal::serde::str")]
    pub leaked: Decimal,
}

fn milliseconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.serialize_f64(crate::output::latency::ms(time.as_micros() as u64)),
        None => to.serialize_none(),
    }
}

/// A fault that was made: when, on which account, and what must not leave.
pub struct InjectedFault {
    pub kind: FaultKind,
    pub account: String,
    pub at: Instant,
    /// Orders that take the bad money, and how often each may be paid.
    pub bad: Vec<(String, usize)>,
}

pub fn account_of(kind: FaultKind) -> String {
    format!("F-{}", kind.as_str())
}

fn event(kind: &str, account: &str, biz_no: &str, amount: Decimal) -> BusinessEvent {
    BusinessEvent {
        id: format!("{kind}-{biz_no}"),
        kind: kind.to_owned(),
        account_id: account.to_owned(),
        biz_no: biz_no.to_owned(),
        amount,
        currency: "CNY".to_owned(),
        occurred_us: now_us(),
        payer_account_id: None,
        client: None,
    }
}

fn ask(account: &str, name: &str, amount: &str) -> UpstreamSubmit {
    UpstreamSubmit {
        from: account.to_owned(),
        to: format!("payee-{name}"),
        amount: amount.to_owned(),
        transaction_id: format!("{account}-{name}"),
        biz_no: format!("biz-{account}-{name}"),
        channel: "netsunion".to_owned(),
    }
}

/// Gives the fault's account honest money first.
pub async fn fund(stage: &DrillStage, account: &str, amount: Decimal) -> anyhow::Result<()> {
    let biz_no = format!("fund-{account}");
    stage
        .events
        .send(&event(DEPOSIT_RECEIVED, account, &biz_no, amount))
        .await?;
    stage.client.deposit(account, amount, &biz_no).await
}

/// Makes the database forget the names of an order, where no binlog shows it: as after a
/// failover that lost them, a second order under them can't be refused.
async fn forget_names(stage: &DrillStage, order: &str) -> anyhow::Result<()> {
    let (mut conn, orders) = (sql::connect(&stage.url).await?, &stage.schemas.orders);
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    let delete = format!("DELETE FROM {orders}.idempotency WHERE order_id=?");
    conn.exec_drop(delete, (order,)).await?;
    let release = format!("UPDATE {orders}.orders SET identity=NULL WHERE order_id=?");
    Ok(conn.exec_drop(release, (order,)).await?)
}

/// Submits an order as an honest upstream does: it tells first, then asks.
async fn honest(stage: &DrillStage, submit: &UpstreamSubmit) -> anyhow::Result<String> {
    let amount = Decimal::from_str_exact(&submit.amount)?;
    stage
        .events
        .send(&event(
            WITHDRAW_REQUESTED,
            &submit.from,
            &submit.biz_no,
            amount,
        ))
        .await?;
    stage.client.submit(submit).await
}

/// Makes the fault and sends somebody after the bad money at once.
pub async fn make(stage: &DrillStage, kind: FaultKind) -> anyhow::Result<InjectedFault> {
    let account = account_of(kind);
    let mut conn = stage.pool.get_conn().await?;
    let (at, bad) = match kind {
        FaultKind::WrongOutput => {
            let submit = ask(&account, "unit", "1234.00");
            let request_event = event(
                WITHDRAW_REQUESTED,
                &account,
                &submit.biz_no,
                Decimal::new(1_234, 2),
            );
            stage.events.send(&request_event).await?;
            let order = stage.client.submit(&submit).await?;
            (Instant::now(), vec![(order, 0)])
        }
        FaultKind::UpstreamDownstream => {
            stage
                .client
                .deposit(&account, Decimal::from(5_000), &format!("ghost-{account}"))
                .await?;
            let at = Instant::now();
            let order = honest(stage, &ask(&account, "ghost", "5000.00")).await?;
            (at, vec![(order, 0)])
        }
        FaultKind::Duplicate => {
            let first = ask(&account, "once", "88.00");
            let paid = honest(stage, &first).await?;
            forget_names(stage, &paid).await?;
            let twin = UpstreamSubmit {
                transaction_id: format!("{}-again", first.transaction_id),
                ..first
            };
            let order = stage.client.submit(&twin).await?;
            (Instant::now(), vec![(paid, 1), (order, 0)])
        }
        FaultKind::InternalLogic => {
            let order = honest(stage, &ask(&account, "paid", "66.00")).await?;
            stage.wait_for_status(&order, "success").await?;
            let due = Some(now_us());
            let (schemas, signer) = (&stage.schemas, &stage.signer);
            signed::set_state(&mut conn, schemas, signer, &order, "init", due).await?;
            (Instant::now(), vec![(order, 1)])
        }
        FaultKind::ManualFix => {
            let by_hand = Decimal::from(1_000);
            signed::adjust(
                &mut conn,
                &stage.schemas,
                None,
                &account,
                by_hand,
                "by-hand",
            )
            .await?;
            let at = Instant::now();
            let order = honest(stage, &ask(&account, "greedy", "1000.00")).await?;
            (at, vec![(order, 0)])
        }
    };
    Ok(InjectedFault {
        kind,
        account,
        at,
        bad,
    })
}

/// Waits for the breaker of the fault's account, then measures what left.
pub async fn watch(stage: &DrillStage, made: &InjectedFault) -> anyhow::Result<FaultOutcome> {
    let mut conn = stage.pool.get_conn().await?;
    let breaker = format!("cash_out/account/{}", made.account);
    let sql = format!(
        "SELECT 1 FROM {}.breaker WHERE point='cash_out' AND scope='account' AND scope_key=? AND state='open'",
        stage.schemas.guard
    );
    let mut detect = None;
    while made.at.elapsed() < DETECTION_TIMEOUT {
        if conn
            .exec_first::<u8, _, _>(&sql, (&made.account,))
            .await?
            .is_some()
        {
            detect = Some(made.at.elapsed());
            break;
        }
        tokio::time::sleep(BREAKER_POLL_INTERVAL).await;
    }
    tokio::time::sleep(LEAK_WAIT).await;
    let rule: Option<String> = conn
        .exec_first(
            format!(
                "SELECT rule FROM {}.verdict WHERE account_id=? AND breaker IS NOT NULL ORDER BY found_us LIMIT 1",
                stage.schemas.guard
            ),
            (&made.account,),
        )
        .await?;
    Ok(FaultOutcome {
        kind: made.kind.as_str(),
        detected: detect.is_some(),
        rule: rule.unwrap_or_default(),
        breaker: if detect.is_some() {
            breaker
        } else {
            String::new()
        },
        detect_ms: detect,
        leaked: leaked(stage, made).await?,
    })
}

/// Sums what the channels' own books say left beyond what was honest.
async fn leaked(stage: &DrillStage, made: &InjectedFault) -> anyhow::Result<Decimal> {
    let book = stage.book();
    let mut sum = Decimal::ZERO;
    for (order, honest) in &made.bad {
        let serial = sluice_contract::ids::serial_no(order);
        let paid = book.iter().filter(|p| p.serial_no == serial);
        sum += paid.skip(*honest).map(|p| p.amount).sum::<Decimal>();
    }
    Ok(sum)
}

/// Acts as a person does: puts it right, says why, and closes the breaker.
pub async fn clean_up(stage: &DrillStage, made: &InjectedFault) -> anyhow::Result<&'static str> {
    let mut conn = stage.pool.get_conn().await?;
    let bad = made
        .bad
        .last()
        .map(|(order, _)| order.as_str())
        .context("a fault has an order")?;
    let done = match made.kind {
        FaultKind::WrongOutput | FaultKind::Duplicate => {
            stage.client.cancel(bad).await?;
            "order cancelled"
        }
        FaultKind::UpstreamDownstream => {
            stage.client.cancel(bad).await?;
            let ghost = event(
                DEPOSIT_RECEIVED,
                &made.account,
                &format!("ghost-{}", made.account),
                Decimal::from(5_000),
            );
            stage.events.send(&ghost).await?;
            "order cancelled, the deposit's event turned up late"
        }
        FaultKind::InternalLogic => {
            until_refused(&mut conn, stage, &made.account, bad).await?;
            let (schemas, signer) = (&stage.schemas, &stage.signer);
            signed::set_state(&mut conn, schemas, signer, bad, "success", None).await?;
            "order set right again, signed"
        }
        FaultKind::ManualFix => {
            stage.client.cancel(bad).await?;
            let back = Decimal::from(-1_000);
            signed::adjust(
                &mut conn,
                &stage.schemas,
                Some(&stage.signer),
                &made.account,
                back,
                "by-hand-reversed",
            )
            .await?;
            "order cancelled, credit reversed, signed"
        }
    };
    for point in open_points(&mut conn, stage, &made.account).await? {
        stage
            .client
            .reset(&format!("{point}/account/{}", made.account), "drill", done)
            .await?;
    }
    Ok(done)
}

/// Waits until the core has refused to send the order a second time, which is a case, and a
/// finding of its own: a breaker that was closed before it would open again.
async fn until_refused(
    conn: &mut Conn,
    stage: &DrillStage,
    account: &str,
    order: &str,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let sql = format!(
        "SELECT COUNT(*) FROM {}.verdict WHERE account_id=? AND rule='order_altered' AND item=?",
        stage.schemas.guard
    );
    while conn.exec_first::<u64, _, _>(&sql, (account, order)).await? != Some(1) {
        ensure!(
            begun.elapsed() < DETECTION_TIMEOUT,
            "the core has not refused to send {order}, which was paid, again"
        );
        tokio::time::sleep(BREAKER_POLL_INTERVAL).await;
    }
    Ok(())
}

/// Every point at which the account is stopped: a rule may open several.
async fn open_points(
    conn: &mut Conn,
    stage: &DrillStage,
    account: &str,
) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT point FROM {}.breaker WHERE scope='account' AND scope_key=? AND state='open'",
        stage.schemas.guard
    );
    Ok(conn.exec(sql, (account,)).await?)
}
