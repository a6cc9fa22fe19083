//! The choice of a host.

use crate::binlog::hosts::ServerHosts;
use crate::binlog::hosts::host::QUERY_TIMEOUT;
use crate::stream::gtid::{Flavour, GtidSet};
use std::sync::atomic::Ordering;
use tokio::time::timeout;

/// An outcome of looking for a host.
#[derive(Debug, PartialEq, Eq)]
pub enum HostChoice {
    /// The current one is fit.
    Same,
    /// Another one is current now.
    Moved,
    /// None is fit, and why not.
    Nowhere(String),
}

impl ServerHosts {
    /// Looks for a host that can go on, the current one first. It must have all of
    /// `read` (see `required_position`).
    pub async fn find(&self, server_id: u32, flavour: Flavour, read: &GtidSet) -> HostChoice {
        let current = self.current.load(Ordering::Acquire);
        let order = (0..self.hosts.len()).map(|n| (current + n) % self.hosts.len());
        let mut refusals = Vec::new();
        for at in order {
            match self.refusal(at, server_id, Some((flavour, read))).await {
                None => return self.go(current, at),
                Some(refusal) => refusals.push(refusal),
            }
        }
        HostChoice::Nowhere(refusals.join("; "))
    }

    /// Before anything is read: the one host that can be written to. If there are two,
    /// one of them is a primary of old that nobody fenced, and only a person knows which.
    pub async fn primary(&self) -> HostChoice {
        let current = self.current.load(Ordering::Acquire);
        let (mut fit, mut refusals) = (Vec::new(), Vec::new());
        for at in 0..self.hosts.len() {
            match self.refusal(at, 0, None).await {
                None => fit.push(at),
                Some(refusal) => refusals.push(refusal),
            }
        }
        match fit.as_slice() {
            [] => HostChoice::Nowhere(refusals.join("; ")),
            [one] => self.go(current, *one),
            [one, two, ..] => HostChoice::Nowhere(format!(
                "{} and {} can both be written to; make the one that is not the primary read-only",
                self.hosts[*one].name, self.hosts[*two].name
            )),
        }
    }

    fn go(&self, from: usize, to: usize) -> HostChoice {
        self.left.store(false, Ordering::Release);
        if from == to {
            return HostChoice::Same;
        }
        self.current.store(to, Ordering::Release);
        tracing::error!(
            from = self.hosts[from].name,
            to = self.hosts[to].name,
            "another server takes over"
        );
        HostChoice::Moved
    }

    async fn refusal(
        &self,
        at: usize,
        server_id: u32,
        read: Option<(Flavour, &GtidSet)>,
    ) -> Option<String> {
        let host = &self.hosts[at];
        match timeout(QUERY_TIMEOUT * 2, host.is_fit(server_id, read)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{}: {error:#}", host.name)),
            Err(_) => Some(format!("{}: no answer within 4 s", host.name)),
        }
    }
}
