//! Signatures of a rule set: the row of what is in force, the set's own, and each member's.
//! Texts are named by their hash, and a member that is missing by the set's.

use crate::guard_rows::GuardRows;
use crate::workflow::RuleSetVersion;
use crate::workflow::repo::{self, ACTIVE_ROW_NAME, RuleSetSummary};
use anyhow::{Context, ensure};
use mysql_async::params;
use mysql_async::prelude::Queryable;
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::schema::Schemas;

/// A member but for its last column: version, rule, candidate, text, mode, demoted.
pub(super) type MemberColumns<'a> = (i64, &'a str, bool, &'a str, &'a str, bool);

/// Fields of the row of what is in force, as they are signed.
pub(super) fn active_fields(version: i64, updated_us: i64) -> [EffectField<'static>; 3] {
    let name = Text(ACTIVE_ROW_NAME.as_bytes());
    [name, Int(version.into()), Int(updated_us.into())]
}

/// Fields of a set's row, as they are signed.
pub(super) fn set_fields(row: &RuleSetSummary) -> [EffectField<'_>; 6] {
    [
        Int(row.version.into()),
        Text(row.hash.as_bytes()),
        Int(row.content_of.into()),
        Text(row.created_by.as_bytes()),
        Text(row.reason.as_bytes()),
        Int(row.created_us.into()),
    ]
}

/// Fields of a member's row, as they are signed.
pub(super) fn member_fields(row: MemberColumns<'_>, since_us: i64) -> [EffectField<'_>; 7] {
    let (version, rule, candidate, text_hash, mode, demoted) = row;
    [
        Int(version.into()),
        Text(rule.as_bytes()),
        Int(candidate.into()),
        Text(text_hash.as_bytes()),
        Text(mode.as_bytes()),
        Int(demoted.into()),
        Int(since_us.into()),
    ]
}

type Mac = Option<String>;
type ActiveColumns = (i64, i64, Mac);
type SetColumns = (String, i64, String, String, i64, Mac);
type MemberRow = (String, bool, String, String, bool, i64, Mac);

/// Rows of a set as they are stored.
struct StoredSet {
    active: Option<ActiveColumns>,
    set: Option<(RuleSetSummary, Mac)>,
    members: Vec<MemberRow>,
}

async fn read(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    version: i64,
) -> mysql_async::Result<StoredSet> {
    let guard = &schemas.guard;
    let active = format!(
        "SELECT version, updated_us, mac FROM {guard}.rule_active WHERE name = '{ACTIVE_ROW_NAME}'"
    );
    let set = format!(
        "SELECT hash, content_of, created_by, reason, created_us, mac FROM {guard}.rule_set WHERE version = :version"
    );
    let members = format!(
        "SELECT rule, candidate, text_hash, mode, demoted, since_us, mac FROM {guard}.rule_member WHERE version = :version"
    );
    let summary = |(hash, content_of, created_by, reason, created_us, mac): SetColumns| {
        let summary = RuleSetSummary {
            version,
            hash,
            content_of,
            created_by,
            reason,
            created_us,
        };
        (summary, mac)
    };
    let stored: Option<SetColumns> = conn.exec_first(set, params! { version }).await?;
    Ok(StoredSet {
        active: conn.query_first(active).await?,
        set: stored.map(summary),
        members: conn.exec(members, params! { version }).await?,
    })
}

/// Checks that sidecars wrote the set of this version, and that it is in force; 0 is none.
///
/// # Errors
/// What somebody else wrote, or the database's.
pub async fn check(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    signed: &GuardRows,
    version: i64,
) -> anyhow::Result<()> {
    if version == 0 || !signed.is_sealed() {
        return Ok(());
    }
    let stored = read(conn, schemas, version).await?;
    let by_hand = "was changed by hand: look at it, then `sluice guard seal`";
    let is_active = stored.active.is_some_and(|(active, at_us, mac)| {
        signed.holds("rule_active", &active_fields(active, at_us), mac.as_deref())
    });
    ensure!(is_active, "which rule set is in force {by_hand}");
    let is_set = stored
        .set
        .is_some_and(|(row, mac)| signed.holds("rule_set", &set_fields(&row), mac.as_deref()));
    ensure!(is_set, "the row of rule set {version} {by_hand}");
    for (rule, candidate, text, mode, demoted, since_us, mac) in &stored.members {
        let row = (version, &**rule, *candidate, &**text, &**mode, *demoted);
        let fields = member_fields(row, *since_us);
        let holds = signed.holds("rule_member", &fields, mac.as_deref());
        ensure!(holds, "rule {rule} of set {version} {by_hand}");
    }
    Ok(())
}

/// Checks that no member of the set is missing: its row, which is signed, has the hash of all.
///
/// # Errors
/// A set that is not whole, or the database's.
pub async fn check_whole(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    signed: &GuardRows,
    set: &RuleSetVersion,
) -> anyhow::Result<()> {
    if !signed.is_sealed() {
        return Ok(());
    }
    let version = set.version;
    let stored = read(conn, schemas, version).await?.set;
    ensure!(
        stored.is_some_and(|(row, _)| row.hash == set.hash()),
        "rules of set {version} are missing or were changed by hand: look at it, then `sluice guard seal`"
    );
    Ok(())
}

/// Reads the set of this version, if sidecars wrote all of it and it is in force.
///
/// # Errors
/// What somebody else wrote, what is missing, or the database's.
pub async fn read_whole(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    signed: &GuardRows,
    version: i64,
) -> anyhow::Result<RuleSetVersion> {
    check(conn, schemas, signed, version).await?;
    let set = repo::read(conn, schemas, version).await?;
    let set = set.with_context(|| format!("set {version} is in force, but its rules are gone"))?;
    check_whole(conn, schemas, signed, &set).await?;
    Ok(set)
}

/// Signs the set in force as it is, for a person who has looked at it; its hash is made anew,
/// or a set whose members were changed would never be whole again.
///
/// # Errors
/// A set that can't be read, or the database's.
pub async fn accept(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    signed: &GuardRows,
    version: i64,
) -> anyhow::Result<()> {
    let guard = &schemas.guard;
    let stored = read(conn, schemas, version).await?;
    if let Some((active, at_us, _)) = stored.active {
        let mac = signed.mac("rule_active", &active_fields(active, at_us));
        let sql =
            format!("UPDATE {guard}.rule_active SET mac = :mac WHERE name = '{ACTIVE_ROW_NAME}'");
        conn.exec_drop(sql, params! { mac }).await?;
    }
    if let Some((mut row, _)) = stored.set {
        let set = repo::read(conn, schemas, version)
            .await
            .context("put its text back, or take its row out of rule_member, then seal again")?;
        row.hash = set
            .unwrap_or_else(|| RuleSetVersion::new(version, Vec::new()))
            .hash();
        let mac = signed.mac("rule_set", &set_fields(&row));
        let sql = format!(
            "UPDATE {guard}.rule_set SET hash = :hash, mac = :mac WHERE version = :version"
        );
        let hash = &row.hash;
        conn.exec_drop(sql, params! { hash, mac, version }).await?;
    }
    let sql = format!(
        "UPDATE {guard}.rule_member SET mac = :mac WHERE version = :version AND rule = :rule AND candidate = :candidate"
    );
    for (rule, candidate, text, mode, demoted, since_us, _) in stored.members {
        let row = (version, &*rule, candidate, &*text, &*mode, demoted);
        let mac = signed.mac("rule_member", &member_fields(row, since_us));
        conn.exec_drop(&sql, params! { mac, version, "rule" => &rule, candidate })
            .await?;
    }
    Ok(())
}
