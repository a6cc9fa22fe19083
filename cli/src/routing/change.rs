//! `sluice routing apply | rollback`: another version comes into force, its changes
//! printed first.

use crate::routing::draft_of;
use crate::routing::file::{read, refused};
use anyhow::{Context, ensure};
use sluice_contract::clock::now_us;
use sluice_contract::settings::Secret;
use sluice_contract::sql::Conn;
use sluice_core::config::CoreConfig;
use sluice_core::routing::RoutingDraft;
use sluice_core::routing::change::{self, RoutingChangeNote};
use sluice_core::routing::configuration::version_repo;
use std::collections::BTreeSet;
use std::path::Path;

#[allow(clippy::print_stdout)]
pub(super) async fn apply(
    conn: &mut Conn,
    config: &CoreConfig,
    file: &Path,
    by: &RoutingChangeNote,
) -> anyhow::Result<()> {
    let (draft, lines) = read(file)?;
    let problems = change::check(&draft, &config.channels)?;
    if !problems.is_empty() {
        return Err(refused(file, &problems, &lines));
    }
    let seen = version_repo::active_version(conn).await?;
    let before = draft_of(conn, seen).await?;
    ensure!(
        seen == 0 || before != draft,
        "version {seen}, in force now, says just the same: nothing to change"
    );
    print_changes(&before, &draft, seen == 0);
    let version =
        change::publish(conn, &draft, seen, by, (&signing_key(config)?, now_us())).await?;
    println!(
        "version {version} is in force; back again: sluice routing rollback {seen} --author … --reason …"
    );
    Ok(())
}

/// The key by which cores know that an operator put a version in force.
fn signing_key(config: &CoreConfig) -> anyhow::Result<Secret> {
    Secret::load("provenance_key", config.secrets_dir.as_deref())
        .context("a version is signed when it is put in force")
}

#[allow(clippy::print_stdout)]
fn print_changes(before: &RoutingDraft, after: &RoutingDraft, first: bool) {
    let old = if first {
        Default::default()
    } else {
        before.items()
    };
    let new = after.items();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let short = |text: &String| {
            if text.chars().count() > 90 {
                text.chars().take(89).chain(['…']).collect()
            } else {
                text.clone()
            }
        };
        match (old.get(name), new.get(name)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                println!("~ {name:<34} {}\n  {:<34} {}", short(was), "→", short(is))
            }
            (Some(was), None) => println!("- {name:<34} {}", short(was)),
            (None, Some(is)) => println!("+ {name:<34} {}", short(is)),
            (None, None) => {}
        }
    }
}

#[allow(clippy::print_stdout)]
pub(super) async fn rollback(
    conn: &mut Conn,
    config: &CoreConfig,
    version: i64,
    by: &RoutingChangeNote,
) -> anyhow::Result<()> {
    let seen = version_repo::active_version(conn).await?;
    let (before, after) = (draft_of(conn, seen).await?, draft_of(conn, version).await?);
    print_changes(&before, &after, false);
    change::rollback(conn, version, by, (&signing_key(config)?, now_us())).await?;
    println!("version {version} is in force again");
    Ok(())
}
