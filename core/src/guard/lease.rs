//! Leases: work that one instance does at a time, taken by conditional UPDATE.

use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_lit};

/// Gives the lease back, if it is ours: another instance need not wait for its end.
pub async fn release(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    name: &str,
    owner: &str,
) -> anyhow::Result<()> {
    let table = format!("{}.lease", schemas.guard);
    conn.exec_drop(
        format!("UPDATE {table} SET expires_us=? WHERE name=? AND owner=?"),
        (now_us() - 1, name, owner),
    )
    .await?;
    Ok(())
}

/// Reads when the lease ends or has ended, in µs; none if nobody has ever held it.
pub async fn end_us(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    name: &str,
) -> anyhow::Result<Option<i64>> {
    let sql = format!(
        "SELECT expires_us FROM {}.lease WHERE name=? AND expires_us>0",
        schemas.guard
    );
    Ok(conn.exec_first(sql, (name,)).await?)
}

/// Takes the lease if it is free, run out, or ours already; true if it is ours now.
pub async fn take(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    name: &str,
    owner: &str,
    now_us: i64,
    life_us: i64,
) -> anyhow::Result<bool> {
    let epoch = take_epoch(conn, schemas, name, owner, now_us, life_us).await?;
    Ok(epoch.is_some())
}

/// As `take`; returns the lease's epoch if it is ours now. It rises whenever the owner
/// changes: whoever finds its own again knows that nobody had the lease in between.
pub async fn take_epoch(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    name: &str,
    owner: &str,
    now_us: i64,
    life_us: i64,
) -> anyhow::Result<Option<i64>> {
    let table = format!("{}.lease", schemas.guard);
    let until = now_us + life_us;
    conn.exec_drop(
        format!("INSERT IGNORE INTO {table} (name,owner,epoch,expires_us) VALUES (?,?,0,0)"),
        (name, owner),
    )
    .await?;
    let update = format!(
        "UPDATE {table} SET epoch=epoch+(owner<>?),owner=?,expires_us=? WHERE name=? AND (owner=? OR expires_us<?)"
    );
    conn.exec_drop(update, (owner, owner, until, name, owner, now_us))
        .await?;
    let held: Option<(String, i64, i64)> = conn
        .exec_first(
            format!("SELECT owner,epoch,expires_us FROM {table} WHERE name=?"),
            (name,),
        )
        .await?;
    Ok(held
        .filter(|(who, _, left)| who == owner && *left == until)
        .map(|(_, epoch, _)| epoch))
}

/// Writes the statement that locks the lease against being taken until the transaction
/// ends; it reads a row if the lease is still the one of that owner and epoch.
pub fn lock_sql(schemas: &Schemas, name: &str, owner: &str, epoch: i64) -> String {
    let mut sql = format!("SELECT epoch FROM {}.lease WHERE name=", schemas.guard);
    push_lit(&mut sql, SqlLiteral::Text(name));
    sql.push_str(" AND owner=");
    push_lit(&mut sql, SqlLiteral::Text(owner));
    sql.push_str(" AND epoch=");
    push_lit(&mut sql, SqlLiteral::Int(epoch));
    sql.push_str(" LOCK IN SHARE MODE");
    sql
}
