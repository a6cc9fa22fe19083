//! The fence: the core raises a token in the database; once the sidecar has
//! evaluated everything up to that commit, it says so on a stream. No clocks and
//! no positions are compared (promise 5).

use crate::config;
use crate::guard::fence_stream::{self, FenceSource, KnownToCore};
use crate::orders::SignedSince;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::provenance::EffectField::{Int, Text};
use sluice_contract::provenance::guard_mac;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::tls::ClientTls;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// A token that hasn't passed after this is followed by another.
const RERAISE_INTERVAL: Duration = Duration::from_secs(1);

/// View of the sidecar as it is known now.
#[derive(Debug, Clone)]
pub struct FenceView {
    pub token: u64,
    /// Why nothing may pass, if so.
    pub stalled: Option<String>,
    /// Accounts whose orders wait for an open pair.
    pub holds: Arc<HashSet<String>>,
    /// Version of the breakers' seal; only rises.
    pub breakers: i64,
}

/// Client of the fence; one per process, cheap to clone.
#[derive(Clone)]
pub struct FenceClient {
    enabled: bool,
    /// Unique per start: a token of an earlier life must not open this one's fence.
    instance: Arc<str>,
    /// Signs the row of the token.
    key: Secret,
    schemas: Schemas,
    raised: Arc<AtomicU64>,
    view: watch::Receiver<FenceView>,
    signed_since: SignedSince,
}

impl FenceClient {
    /// Starts the follower of the sidecar's stream among `parts`.
    ///
    /// # Errors
    /// The fence is enabled and there is no secret to show, or its TLS can't be used.
    pub fn start(
        parts: &Supervisor,
        config: &config::FenceClientConfig,
        name: &str,
        schemas: &Schemas,
        (token, key): (Option<Secret>, Secret),
    ) -> anyhow::Result<Self> {
        let instance: Arc<str> = format!("{name}-{:08x}", rand::random::<u32>()).into();
        let stalled = config
            .enabled
            .then(|| "the sidecar has not been reached yet".to_owned());
        let (sender, view) = watch::channel(FenceView {
            token: 0,
            stalled,
            holds: Arc::default(),
            breakers: 0,
        });
        let raised = Arc::new(AtomicU64::new(0));
        let signed_since = SignedSince::default();
        if config.enabled {
            let token = token.context("the fence needs the secret sidecar_token")?;
            let url = format!(
                "{}/fence/{instance}",
                config.sidecar_url.trim_end_matches('/')
            );
            let tls = ClientTls::load("fence", &config.tls)?;
            let source = FenceSource::new(url, token, tls.as_ref())?;
            if let Some(tls) = tls {
                parts.spawn_loop("certificates of fence", tls.watch());
            }
            let known = KnownToCore {
                raised: Arc::clone(&raised),
                signed_since: signed_since.clone(),
            };
            parts.spawn_loop(
                "fence-follower",
                fence_stream::follow(source, sender, known),
            );
        }
        Ok(FenceClient {
            enabled: config.enabled,
            instance,
            key,
            schemas: schemas.clone(),
            raised,
            view,
            signed_since,
        })
    }

    /// Commits a new token; everything committed before is covered by it.
    pub async fn raise(&self, conn: &mut impl Queryable) -> anyhow::Result<u64> {
        if !self.enabled {
            return Ok(0);
        }
        let token = self.raised.fetch_add(1, Ordering::Relaxed) + 1;
        // Of two that overtake each other the later one stays, which may be the lower: the
        // other was seen all the same. A token of somebody else's does not stay.
        let sql = format!(
            "INSERT INTO {}.fence_token (instance,token,updated_us,mac) VALUES (?,?,?,?) \
             ON DUPLICATE KEY UPDATE token=VALUES(token),updated_us=VALUES(updated_us),mac=VALUES(mac)",
            self.schemas.guard
        );
        let at_us = now_us();
        let row = [
            Text(self.instance.as_bytes()),
            Int(token.into()),
            Int(at_us.into()),
        ];
        let mac = guard_mac(&self.key, "fence_token", &row);
        conn.exec_drop(sql, (&*self.instance, token, at_us, mac))
            .await?;
        Ok(token)
    }

    /// Waits until the sidecar has passed the token and isn't blind; returns the
    /// accounts on hold at that moment.
    pub async fn wait(&self, token: u64) -> Arc<HashSet<String>> {
        if !self.enabled {
            return Arc::default();
        }
        let mut view = self.view.clone();
        let passed = view
            .wait_for(|v| v.token >= token && v.stalled.is_none())
            .await;
        let holds = passed.map(|v| v.holds.clone()).ok();
        match holds {
            Some(holds) => holds,
            // The follower lives as long as the process: nothing passes without it.
            None => std::future::pending().await,
        }
    }

    /// Raises one more token whenever the last one hasn't passed for a while: a
    /// sidecar that died between its checkpoint and telling a token never sees
    /// that one again, and a later token covers every earlier one.
    pub async fn keep_raising(self, pool: sluice_contract::sql::Pool) {
        loop {
            let before = self.raised.load(Ordering::Relaxed);
            tokio::time::sleep(RERAISE_INTERVAL).await;
            let (token, stalled) = {
                let view = self.view.borrow();
                (view.token, view.stalled.is_some())
            };
            if self.enabled && !stalled && before > token {
                let raised =
                    async { anyhow::Ok(self.raise(&mut pool.get_conn().await?).await?) }.await;
                if let Err(error) = raised {
                    tracing::warn!("can't raise a fence token again: {error:#}");
                }
            }
        }
    }

    /// Tells why nothing passes now, or `None`.
    pub fn stalled(&self) -> Option<String> {
        self.view.borrow().stalled.clone()
    }

    /// The version of the breakers' seal that the sidecar announced; read before the
    /// breakers are.
    pub fn breakers_version(&self) -> i64 {
        self.view.borrow().breakers
    }

    /// Whether rows must be signed, as the sidecar says.
    pub fn signed_since(&self) -> SignedSince {
        self.signed_since.clone()
    }

    /// Tells whether the account is on hold.
    pub fn holds(&self, account_id: &str) -> bool {
        self.view.borrow().holds.contains(account_id)
    }

    /// Lists the accounts on hold now.
    pub fn held_accounts(&self) -> Arc<HashSet<String>> {
        self.view.borrow().holds.clone()
    }

    /// Waits until other accounts are on hold than `seen`.
    pub async fn holds_changed(&self, seen: &Arc<HashSet<String>>) {
        let mut view = self.view.clone();
        if view
            .wait_for(|v| !Arc::ptr_eq(&v.holds, seen))
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
