//! Changing the routing: a new version, or back to an older one. One transaction
//! each; two who change at once wait for each other, and the second looks again.

use crate::config::{ChannelConfig, ChannelDecimals};
use crate::routing::configuration::active;
use crate::routing::configuration::draft::RoutingDraft;
use crate::routing::configuration::insert_repo;
use crate::routing::configuration::set::RoutingSet;
use crate::routing::configuration::version_repo::{self, RoutingActivationRow, RoutingVersionRow};
use crate::routing::rows::RoutingLimitRow;
use crate::routing::{LimitScope, RoutingProblem};
use crate::transaction::Transaction;
use anyhow::{Context, bail, ensure};
use sluice_contract::settings::Secret;
use sluice_contract::sql::Conn;

/// Author and reason of a change: kept for ever.
#[derive(Debug, Clone)]
pub struct RoutingChangeNote {
    pub author: String,
    pub reason: String,
}

impl RoutingChangeNote {
    fn check(&self) -> anyhow::Result<()> {
        let fits = |text: &str, max_chars: usize| {
            !text.trim().is_empty() && text.chars().count() <= max_chars
        };
        ensure!(
            fits(&self.author, 64),
            "author: 1 to 64 characters, who changes it"
        );
        ensure!(
            fits(&self.reason, 400),
            "reason: 1 to 400 characters, why it is changed"
        );
        Ok(())
    }
}

/// Finds everything that is wrong with a draft, for a core with these channels.
pub fn check(
    draft: &RoutingDraft,
    channels: &[ChannelConfig],
) -> anyhow::Result<Vec<RoutingProblem>> {
    let mut problems = RoutingSet::of(0, draft).err().unwrap_or_default();
    let known: Vec<&str> = channels.iter().map(|c| c.id.as_str()).collect();
    for c in draft
        .channels
        .iter()
        .filter(|c| !known.contains(&c.channel.as_str()))
    {
        let what = format!(
            "is not in the core's settings, which have {}",
            known.join(", ")
        );
        problems.push(RoutingProblem::new(&format!("channel {}", c.channel), what));
    }
    for channel in channels {
        problems.extend(unknown_pairs(draft, channel, &channel.decimals()?));
    }
    Ok(problems)
}

/// Finds limits in a currency that their channel would never be sent.
fn unknown_pairs(
    draft: &RoutingDraft,
    channel: &ChannelConfig,
    decimals: &ChannelDecimals,
) -> Vec<RoutingProblem> {
    let id = &channel.id;
    let of_channel = |limit: &&RoutingLimitRow| {
        let key = limit.scope == LimitScope::Channel && limit.key == *id;
        key || limit.channel == *id
    };
    let unknown = draft
        .limits
        .iter()
        .filter(of_channel)
        .filter(|limit| !decimals.takes(limit.currency));
    let problem = |limit: &RoutingLimitRow| {
        let what = format!(
            "{id} is not known to take {}: see channels.decimals and channels.currencies",
            limit.currency
        );
        RoutingProblem::new(&limit.place(), what)
    };
    unknown.map(problem).collect()
}

/// Writes the draft as a new version and puts it in force; returns its number. The
/// version that was in force must still be `seen`. The draft was checked.
pub async fn publish(
    conn: &mut Conn,
    draft: &RoutingDraft,
    seen: i64,
    by: &RoutingChangeNote,
    (key, now_us): (&Secret, i64),
) -> anyhow::Result<i64> {
    by.check()?;
    let hash = draft.hash()?;
    let mut transaction = Transaction::begin(conn).await?;
    let from = version_repo::lock_active(transaction.conn(), key).await?;
    ensure!(
        from.1 == seen,
        "version {} was put in force meanwhile: look at it, then apply again",
        from.1
    );
    let version = version_repo::latest_version(transaction.conn()).await? + 1;
    let (author, reason) = (by.author.clone(), by.reason.clone());
    let row = RoutingVersionRow {
        version,
        author,
        reason,
        hash: hash.clone(),
        created_us: now_us,
    };
    insert_repo::insert(transaction.conn(), &row, draft).await?;
    // Read back as a core will: what the columns changed is found before it counts.
    if let Err(error) = active::read(transaction.conn(), version).await? {
        bail!("what was written can't be read back: {error}");
    }
    activate(transaction, from, version, by, (key, now_us)).await?;
    Ok(version)
}

/// Puts an older version in force again; 0 is "no configuration".
pub async fn rollback(
    conn: &mut Conn,
    version: i64,
    by: &RoutingChangeNote,
    (key, now_us): (&Secret, i64),
) -> anyhow::Result<()> {
    by.check()?;
    let mut transaction = Transaction::begin(conn).await?;
    let from = version_repo::lock_active(transaction.conn(), key).await?;
    // Also the one in force: so it is signed with the present key before an old one goes.
    if version != 0
        && let Err(error) = active::read(transaction.conn(), version).await?
    {
        bail!("version {version} can't be used: {error}");
    }
    activate(transaction, from, version, by, (key, now_us)).await
}

async fn activate(
    mut transaction: Transaction<'_>,
    from: (i64, i64),
    version: i64,
    by: &RoutingChangeNote,
    (key, now_us): (&Secret, i64),
) -> anyhow::Result<()> {
    let (author, reason) = (by.author.clone(), by.reason.clone());
    let row = RoutingActivationRow {
        epoch: from.0 + 1,
        version,
        previous: from.1,
        author,
        reason,
        activated_us: now_us,
    };
    version_repo::activate(transaction.conn(), from, &row, key).await?;
    let committed = transaction.commit(String::new()).await;
    committed.context("whether it is in force is unknown: ask `sluice routing show`")
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
