//! Waiting for what a stage comes to: a fence that sees, an order's status, an end of
//! all orders; and the metrics that tell.

use crate::stage::{DrillStage, START_TIMEOUT};
use anyhow::{Context, bail};
use mysql_async::prelude::Queryable;
use sluice_contract::order::OrderKind;
use std::time::{Duration, Instant};

impl DrillStage {
    /// Waits until the core hears from a sidecar that sees.
    pub async fn wait_for_fence(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            if self.options.fence && self.core_metric("sluice_core_fence_stalled").await? > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            return Ok(());
        }
        bail!(
            "the core's fence has stalled for {START_TIMEOUT:?}; see {}",
            self.dir.join("sidecar.log").display()
        )
    }

    /// One number of the core's `/metrics`, labels and all; 0 if it isn't there.
    pub async fn core_metric(&self, name: &str) -> anyhow::Result<u64> {
        metric(&self.ports.address(self.ports.core_admin), name).await
    }

    pub async fn sidecar_metric(&self, name: &str) -> anyhow::Result<u64> {
        metric(&self.ports.address(self.ports.sidecar), name).await
    }

    pub async fn wait_for_status(&self, order_id: &str, status: &str) -> anyhow::Result<()> {
        self.wait_for_status_of(OrderKind::CashOut, order_id, status)
            .await
    }

    pub async fn wait_for_status_of(
        &self,
        kind: OrderKind,
        order_id: &str,
        status: &str,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let order = self.client.order_of(kind, order_id).await?;
            if order["status"] == status {
                return Ok(());
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("after {START_TIMEOUT:?} it is not {status}: {order}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until at most `max_left` orders and bookings are unfinished; returns how
    /// many are.
    pub async fn drain(&self, max_left: u64, within: Duration) -> anyhow::Result<u64> {
        let begun = Instant::now();
        loop {
            let mut conn = self.pool.get_conn().await?;
            let orders = &self.schemas.orders;
            // Ended orders may be due too: their upstreams have to hear of them.
            let sql = format!(
                "SELECT COUNT(*) FROM {orders}.orders WHERE state NOT IN ('success','failed','returned') AND due_us > 0"
            );
            let left: u64 = conn.query_first(sql).await?.unwrap_or(0);
            let sql = format!("SELECT COUNT(*) FROM {orders}.booking_intent");
            let left = left + conn.query_first::<u64, _>(sql).await?.unwrap_or(0);
            if left <= max_left || begun.elapsed() > within {
                return Ok(left);
            }
            drop(conn);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn metric(address: &str, name: &str) -> anyhow::Result<u64> {
    let (_, body) = crate::load::http::get(address, "/metrics")
        .await
        .with_context(|| format!("{address}/metrics"))?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    // Counters print as floats; only whole numbers are asked for here.
    Ok(value
        .and_then(|v| v.split('.').next()?.parse().ok())
        .unwrap_or(0))
}
