//! Allowances of an hour, over all cores: a core takes shares of them from the database and
//! spends those in memory, so that a request nearly never pays a round trip. A core that
//! dies loses its share for the rest of the hour: less is moved, never more. A caller that
//! hangs up loses nothing: what was taken for it goes back into this core's share.

use crate::access::allowance_repo::{self, TakenShare};
use crate::access::refusal::AccessRefusal;
use crate::config::Grant;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::money::Currency;
use sluice_contract::sql::Pool;
use sluice_contract::wire::ApiCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;
use tracing::Instrument;

const HOUR_US: i64 = 3_600_000_000;
/// Time for which a request waits for a look into the database. The look itself goes on to
/// its end, which the deadlines of the connection bound.
const SHARE_TIMEOUT: Duration = Duration::from_secs(2);
/// A share that nobody spends goes back after this, so that other cores can spend it.
const IDLE_SHARE_INTERVAL: Duration = Duration::from_secs(3);
/// Time for which the database's word that too little is left is believed.
const TOO_LITTLE_INTERVAL: Duration = Duration::from_millis(500);

/// An allowance: the calls of one kind, by one client, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AllowanceKey {
    pub client: String,
    pub grant: Grant,
    pub currency: Currency,
}

/// Share of an hour's allowance that this core holds.
#[derive(Debug)]
struct HourShare {
    hour: i64,
    /// Major units that may still be spent.
    left: Decimal,
    spent_at: Instant,
    /// Amount that all cores together could still take when somebody last looked in vain.
    too_little: Option<(Decimal, Instant)>,
}

/// An amount that was taken for a request; given back if nothing was booked for it.
#[must_use]
#[derive(Debug)]
pub struct TakenAmount {
    key: AllowanceKey,
    hour: i64,
    amount: Decimal,
}

/// The shares of this core.
pub(super) struct HourAllowances {
    pool: Pool,
    shares: Mutex<HashMap<AllowanceKey, HourShare>>,
    /// One looks into the database for all.
    looking: Arc<tokio::sync::Mutex<()>>,
}

/// Units outside the shares that go back into them when this is dropped, wherever that is.
struct HeldUnits {
    allowances: Arc<HourAllowances>,
    key: AllowanceKey,
    hour: i64,
    units: Decimal,
}

impl Drop for HeldUnits {
    fn drop(&mut self) {
        if self.units > Decimal::ZERO {
            self.allowances.add(&self.key, self.hour, self.units);
        }
    }
}

impl HeldUnits {
    /// Hands the units to a request, which gives them back itself.
    fn into_taken(mut self) -> TakenAmount {
        TakenAmount {
            key: self.key.clone(),
            hour: self.hour,
            amount: std::mem::take(&mut self.units),
        }
    }
}

impl HourAllowances {
    pub fn new(pool: Pool) -> Self {
        HourAllowances {
            pool,
            shares: Mutex::default(),
            looking: Arc::default(),
        }
    }

    /// Takes an amount of the hour's allowance `limit`. It may be dropped wherever it waits.
    ///
    /// # Errors
    /// The allowance is used up; the database can't be asked.
    pub async fn take(
        self: &Arc<Self>,
        key: AllowanceKey,
        amount: Decimal,
        limit: Decimal,
    ) -> Result<TakenAmount, AccessRefusal> {
        let hour = now_us() / HOUR_US;
        if self.spend(&key, hour, amount)? {
            return Ok(TakenAmount { key, hour, amount });
        }
        let look = async {
            let one = self.looking.clone().lock_owned().await;
            if self.spend(&key, hour, amount)? {
                return Ok(TakenAmount { key, hour, amount });
            }
            // A task of its own: what the database gave would be lost with a caller who hangs
            // up. Only the one who looks has one, so that they can't pile up.
            let look = self.clone().look(one, key, hour, amount, limit);
            let task = tokio::spawn(look.instrument(tracing::Span::current()));
            let looked = task.await.unwrap_or_else(|e| Err(unavailable(&e.into())));
            looked.map(HeldUnits::into_taken)
        };
        match tokio::time::timeout(SHARE_TIMEOUT, look).await {
            Ok(taken) => taken,
            Err(elapsed) => Err(unavailable(&elapsed.into())),
        }
    }

    /// Takes an amount by a look into the database.
    async fn look(
        self: Arc<Self>,
        _one: OwnedMutexGuard<()>,
        key: AllowanceKey,
        hour: i64,
        amount: Decimal,
        limit: Decimal,
    ) -> Result<HeldUnits, AccessRefusal> {
        // Taken out, so that nobody else spends meanwhile what this request builds on.
        let mut held = self.held(&key, hour, self.take_out(&key, hour));
        let needed = amount - held.units;
        match allowance_repo::take(&self.pool, &key, hour, needed, limit).await {
            Ok(TakenShare::Taken(share)) => {
                held.units += share - amount;
                Ok(self.held(&key, hour, amount))
            }
            Ok(TakenShare::TooLittle(left)) => {
                drop(held);
                Err(self.too_little(&key, hour, left))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn held(self: &Arc<Self>, key: &AllowanceKey, hour: i64, units: Decimal) -> HeldUnits {
        HeldUnits {
            allowances: self.clone(),
            key: key.clone(),
            hour,
            units,
        }
    }

    /// Gives an amount back to this core's share: nothing was booked for it.
    pub fn give_back(&self, taken: TakenAmount) {
        self.add(&taken.key, taken.hour, taken.amount);
    }

    /// Returns idle shares to the database for as long as the process lives.
    pub async fn watch(&self) {
        let mut forgotten = 0;
        loop {
            tokio::time::sleep(IDLE_SHARE_INTERVAL).await;
            let hour = now_us() / HOUR_US;
            for (key, unspent) in self.idle(hour) {
                // Out of memory first: what gets lost on the way was not spent.
                let back = allowance_repo::give_back(&self.pool, &key, hour, unspent);
                report(tokio::time::timeout(SHARE_TIMEOUT, back).await);
            }
            if forgotten != hour {
                let forget = allowance_repo::forget(&self.pool, hour);
                report(tokio::time::timeout(SHARE_TIMEOUT, forget).await);
                forgotten = hour;
            }
        }
    }

    /// Spends from the share, if it has enough.
    ///
    /// # Errors
    /// It hasn't, and neither had the database a moment ago.
    fn spend(&self, key: &AllowanceKey, hour: i64, amount: Decimal) -> Result<bool, AccessRefusal> {
        let mut shares = self.shares();
        let Some(share) = shares.get_mut(key).filter(|s| s.hour == hour) else {
            return Ok(false);
        };
        if share.left >= amount {
            share.left -= amount;
            share.spent_at = Instant::now();
            return Ok(true);
        }
        match share.too_little {
            Some((all, at)) if at.elapsed() < TOO_LITTLE_INTERVAL && all + share.left < amount => {
                Err(spent(key, all + share.left))
            }
            _ => Ok(false),
        }
    }

    fn take_out(&self, key: &AllowanceKey, hour: i64) -> Decimal {
        let mut shares = self.shares();
        let share = shares.get_mut(key).filter(|s| s.hour == hour);
        share.map_or(Decimal::ZERO, |s| std::mem::take(&mut s.left))
    }

    /// Adds to the share.
    fn add(&self, key: &AllowanceKey, hour: i64, amount: Decimal) {
        let mut shares = self.shares();
        let fresh = || HourShare {
            hour,
            left: Decimal::ZERO,
            spent_at: Instant::now(),
            too_little: None,
        };
        let share = shares.entry(key.clone()).or_insert_with(fresh);
        if share.hour < hour {
            *share = fresh();
        }
        if share.hour == hour {
            share.left += amount;
            share.spent_at = Instant::now();
        }
    }

    fn too_little(&self, key: &AllowanceKey, hour: i64, left: Decimal) -> AccessRefusal {
        let mut shares = self.shares();
        let Some(share) = shares.get_mut(key).filter(|s| s.hour == hour) else {
            return spent(key, left);
        };
        share.too_little = Some((left, Instant::now()));
        spent(key, left + share.left)
    }

    /// Takes out the shares that nobody has spent of lately.
    fn idle(&self, hour: i64) -> Vec<(AllowanceKey, Decimal)> {
        let mut shares = self.shares();
        shares.retain(|_, share| share.hour == hour);
        let idle = shares.iter_mut().filter(|(_, share)| {
            share.left > Decimal::ZERO && share.spent_at.elapsed() >= IDLE_SHARE_INTERVAL
        });
        idle.map(|(key, share)| (key.clone(), std::mem::take(&mut share.left)))
            .collect()
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<AllowanceKey, HourShare>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(done: Result<anyhow::Result<()>, tokio::time::error::Elapsed>) {
    if let Err(error) = done.map_err(anyhow::Error::from).flatten() {
        tracing::warn!("a share of an hour's allowance is lost until its end: {error:#}");
    }
}

fn unavailable(error: &anyhow::Error) -> AccessRefusal {
    tracing::warn!("the hour's allowance can't be read: {error:#}");
    let text = "the database can't be reached; nothing was booked unless a repeat says so";
    AccessRefusal::new(ApiCode::Unavailable, text)
}

fn spent(key: &AllowanceKey, left: Decimal) -> AccessRefusal {
    let AllowanceKey {
        client,
        grant,
        currency,
    } = key;
    let text = format!(
        "amount: {client} may {} only {} {currency} more until the hour ends (clients.amounts)",
        grant.as_str(),
        left.normalize()
    );
    AccessRefusal::new(ApiCode::HourSpent, text)
}
