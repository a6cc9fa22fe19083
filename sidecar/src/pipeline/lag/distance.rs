//! The distance to a server, in transactions that it has and nobody evaluated.

use crate::binlog::preflight;
use crate::binlog::servers::SourceServer;
use crate::pipeline::lag::LagMeter;
use crate::stream::gtid::GtidSet;
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::seconds;
use std::time::Duration;

/// Interval at which a server is asked for its position.
const POSITION_INTERVAL: Duration = Duration::from_secs(1);
/// A server that does not answer within this is silent.
const QUERY_TIMEOUT: Duration = Duration::from_millis(900);

impl LagMeter {
    /// Numbers of the servers that can be asked. Of a feed nobody but its own tools knows
    /// how far it is ahead: no figure is better than a 0.
    pub fn askable(&self) -> impl Iterator<Item = usize> {
        let servers = self.servers.iter().enumerate();
        servers
            .filter(|(_, server)| !self.is_feed(server))
            .map(|(number, _)| number)
    }

    /// Asks one server for ever how far it is ahead of what was evaluated and committed.
    pub async fn follow(self, number: usize) {
        let Some(server) = self.servers.get(number) else {
            return;
        };
        let mut tick = tokio::time::interval(POSITION_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut answered_us = now_us();
        loop {
            tick.tick().await;
            let asked = tokio::time::timeout(QUERY_TIMEOUT, self.distance(server)).await;
            if let Ok(Ok(ahead)) = asked {
                answered_us = now_us();
                self.show_distance(server, ahead.unwrap_or(0));
            }
            // The distance stays what it was: this says how old it is.
            let age_us = match asked {
                Ok(Ok(_)) => 0,
                Ok(Err(_)) | Err(_) => now_us().saturating_sub(answered_us),
            };
            self.health
                .metrics
                .position_age_seconds
                .with_label_values(&[server.label()])
                .set(seconds(age_us));
        }
    }

    fn show_distance(&self, server: &SourceServer, transactions: u64) {
        self.health
            .metrics
            .position_distance
            .with_label_values(&[server.label()])
            .set(i64::try_from(transactions).unwrap_or(i64::MAX));
    }

    /// Transactions that the server has and we have not evaluated; none while another
    /// sidecar reads.
    async fn distance(&self, server: &SourceServer) -> anyhow::Result<Option<u64>> {
        let Some(flavour) = server.is_fit() else {
            anyhow::bail!("its settings are not right")
        };
        let mut conn = server.hosts.get_conn().await?;
        let theirs = GtidSet::parse(flavour, &preflight::position(&mut conn, flavour).await?)?;
        let report = self.health.status.read();
        let ours = report.positions.get(&server.source(flavour));
        match ours.filter(|_| report.role == "active") {
            Some(ours) => Ok(Some(GtidSet::parse(flavour, ours)?.lacks(&theirs))),
            None => Ok(None),
        }
    }
}
