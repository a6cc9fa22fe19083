//! The configuration in force. Every claim reads its number in its own transaction,
//! so a change holds from the next claim on; the content is loaded once a version.

use crate::metrics::METRICS;
use crate::orders::OrderSeals;
use crate::routing::RoutingProblem;
use crate::routing::configuration::set::RoutingSet;
use crate::routing::configuration::{content_repo, version_repo};
use mysql_async::prelude::Queryable;
use std::sync::{Arc, Mutex, PoisonError};

/// Reason of a version that no operator put in force.
const UNSIGNED: &str = "it was put in force by hand: look at it, then `sluice routing apply`";

/// Reason why no order can be routed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableRouting {
    pub version: i64,
    pub reason: String,
}

/// Configuration that is in force; one per process.
pub struct ActiveRouting {
    /// Set that holds without any configuration.
    unconfigured: Arc<RoutingSet>,
    loaded: Mutex<LoadedRouting>,
}

#[derive(Default)]
struct LoadedRouting {
    good: Option<Arc<RoutingSet>>,
    bad: Option<UnusableRouting>,
}

impl ActiveRouting {
    /// Begins without any configuration; `channels` in the order of the settings file.
    pub fn new<'a>(channels: impl Iterator<Item = &'a str>) -> Self {
        ActiveRouting {
            unconfigured: Arc::new(RoutingSet::unconfigured(channels)),
            loaded: Mutex::default(),
        }
    }

    /// The set to decide by. A version that can't be used leaves the last good one in
    /// force and is told by log and metric; with none before it, nothing is routed:
    /// sending past its limits would be worse than waiting.
    ///
    /// # Errors
    /// The database's.
    pub async fn current(
        &self,
        conn: &mut impl Queryable,
        seals: &OrderSeals,
    ) -> anyhow::Result<Result<Arc<RoutingSet>, UnusableRouting>> {
        let (version, is_signed) = version_repo::signed_active_version(conn, seals).await?;
        if let Some(known) = self.known(version, is_signed) {
            return Ok(known);
        }
        let read = if !is_signed {
            METRICS
                .guard_unsigned
                .with_label_values(&["route_active"])
                .inc();
            Err(UNSIGNED.to_owned())
        } else if version == 0 {
            Ok(Arc::clone(&self.unconfigured))
        } else {
            read(conn, version).await?
        };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(set) => {
                tracing::info!(version, "routing configuration is in force");
                METRICS.routing.version.set(version);
                METRICS.routing.invalid.set(0);
                *loaded = LoadedRouting {
                    good: Some(set),
                    bad: None,
                };
            }
            Err(reason) => {
                let still = loaded.good.as_ref().map(|s| s.version);
                tracing::error!(
                    version,
                    still,
                    "routing configuration can't be used: {reason}"
                );
                METRICS.routing.invalid.set(1);
                loaded.bad = Some(UnusableRouting { version, reason });
            }
        }
        Ok(answer(&loaded))
    }

    fn known(
        &self,
        version: i64,
        is_signed: bool,
    ) -> Option<Result<Arc<RoutingSet>, UnusableRouting>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was unsigned may be put in force again, by an operator.
        let is_same = |bad: &UnusableRouting| (bad.reason == UNSIGNED) != is_signed;
        let of_version = loaded.bad.as_ref().filter(|bad| bad.version == version);
        if of_version.is_some_and(is_same) {
            return Some(answer(&loaded));
        }
        if !is_signed || loaded.good.as_ref().is_none_or(|g| g.version != version) {
            return None;
        }
        // Back to the good one: a bad version in between is forgotten.
        if loaded.bad.take().is_some() {
            METRICS.routing.invalid.set(0);
        }
        Some(answer(&loaded))
    }
}

fn answer(loaded: &LoadedRouting) -> Result<Arc<RoutingSet>, UnusableRouting> {
    match (&loaded.good, &loaded.bad) {
        (Some(set), _) => Ok(Arc::clone(set)),
        (None, Some(bad)) => Err(bad.clone()),
        (None, None) => Err(UnusableRouting {
            version: 0,
            reason: "not read yet".to_owned(),
        }),
    }
}

/// Reads and checks a version; the inner error says why it can't be used.
pub async fn read(
    conn: &mut impl Queryable,
    version: i64,
) -> anyhow::Result<Result<Arc<RoutingSet>, String>> {
    let (row, draft) = match content_repo::load(conn, version).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Err(format!("version {version} isn't there"))),
        Err(error) if error.is::<mysql_async::Error>() => return Err(error),
        Err(error) => return Ok(Err(format!("{error:#}"))),
    };
    if draft.hash()? != row.hash {
        return Ok(Err("its rows were changed after it was written".to_owned()));
    }
    let in_words = |problems: Vec<RoutingProblem>| {
        problems
            .iter()
            .map(RoutingProblem::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    };
    Ok(RoutingSet::of(version, &draft)
        .map(Arc::new)
        .map_err(in_words))
}
