//! All SQL on `limit_client_hour`: shares of an hour's allowance, taken and given back.

use crate::access::allowance::AllowanceKey;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::sql::{Conn, Pool};

/// A core takes this part of what is left, so that all cores have something to spend, and
/// the last of it is shared out finely.
const SHARE_DIVISOR: i64 = 16;
/// Hours after which a row is deleted.
const KEPT_HOURS: i64 = 48;
const MAX_ROWS_PER_DELETE: usize = 500;

/// Result of asking for a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenShare {
    Taken(Decimal),
    /// Too little: this is left, of all cores together.
    TooLittle(Decimal),
}

/// Takes a share of at least `needed`, never beyond `limit`. Each UPDATE decides by the row
/// as it is under its lock, so that another core's share in between is no refusal, and what
/// is refused really isn't there.
pub(super) async fn take(
    pool: &Pool,
    key: &AllowanceKey,
    hour: i64,
    needed: Decimal,
    limit: Decimal,
) -> anyhow::Result<TakenShare> {
    let mut conn = pool.get_conn().await?;
    let taken = match taken(&mut conn, key, hour).await? {
        Some(taken) => taken,
        None => begin_hour(&mut conn, key, hour).await?,
    };
    let left = limit - taken;
    let part = (left / Decimal::from(SHARE_DIVISOR)).trunc_with_scale(key.currency.exponent());
    let share = needed.max(part);
    if add(&mut conn, key, hour, share, limit).await? {
        return Ok(TakenShare::Taken(share));
    }
    if share > needed && add(&mut conn, key, hour, needed, limit).await? {
        return Ok(TakenShare::Taken(needed));
    }
    let taken = self::taken(&mut conn, key, hour).await?;
    let left = limit - taken.unwrap_or_default();
    // Somebody gave back in the meantime: too little was there for this request.
    Ok(TakenShare::TooLittle(left.max(Decimal::ZERO).min(needed)))
}

/// The sum of the shares that cores hold or have spent.
async fn taken(conn: &mut Conn, key: &AllowanceKey, hour: i64) -> anyhow::Result<Option<Decimal>> {
    let sql = "SELECT taken FROM limit_client_hour WHERE hour=? AND client=? AND grant_word=? AND currency=?";
    let (grant, currency) = (key.grant.as_str(), key.currency.code());
    let id = (hour, &key.client, grant, currency);
    Ok(conn.exec_first(sql, id).await?)
}

/// Makes the row of an hour, if no other core has; returns what is taken of it.
async fn begin_hour(conn: &mut Conn, key: &AllowanceKey, hour: i64) -> anyhow::Result<Decimal> {
    let sql = "INSERT IGNORE INTO limit_client_hour (hour,client,grant_word,currency,taken,updated_us) \
               VALUES (?,?,?,?,0,?)";
    let (grant, currency) = (key.grant.as_str(), key.currency.code());
    let row = (hour, &key.client, grant, currency, now_us());
    conn.exec_drop(sql, row).await?;
    Ok(taken(conn, key, hour).await?.unwrap_or_default())
}

/// Adds to what is taken, if that stays within the limit. Amounts are cast: a decimal and a
/// text would be added as floats.
async fn add(
    conn: &mut Conn,
    key: &AllowanceKey,
    hour: i64,
    share: Decimal,
    limit: Decimal,
) -> anyhow::Result<bool> {
    let sql = "UPDATE limit_client_hour SET taken=taken+CAST(? AS DECIMAL(24,4)),updated_us=? \
               WHERE hour=? AND client=? AND grant_word=? AND currency=? \
               AND taken+CAST(? AS DECIMAL(24,4))<=CAST(? AS DECIMAL(24,4))";
    let (grant, currency) = (key.grant.as_str(), key.currency.code());
    let values = (
        share,
        now_us(),
        hour,
        &key.client,
        grant,
        currency,
        share,
        limit,
    );
    conn.exec_drop(sql, values).await?;
    Ok(conn.affected_rows() == 1)
}

/// Gives back what a core took and did not spend.
pub(super) async fn give_back(
    pool: &Pool,
    key: &AllowanceKey,
    hour: i64,
    unspent: Decimal,
) -> anyhow::Result<()> {
    let sql = "UPDATE limit_client_hour SET taken=taken-CAST(? AS DECIMAL(24,4)),updated_us=? \
               WHERE hour=? AND client=? AND grant_word=? AND currency=? AND taken>=CAST(? AS DECIMAL(24,4))";
    let (grant, currency) = (key.grant.as_str(), key.currency.code());
    let values = (
        unspent,
        now_us(),
        hour,
        &key.client,
        grant,
        currency,
        unspent,
    );
    Ok(pool.get_conn().await?.exec_drop(sql, values).await?)
}

/// Deletes rows that count for nothing any more.
pub(super) async fn forget(pool: &Pool, hour: i64) -> anyhow::Result<()> {
    let sql = format!("DELETE FROM limit_client_hour WHERE hour<? LIMIT {MAX_ROWS_PER_DELETE}");
    let before = (hour - KEPT_HOURS,);
    Ok(pool.get_conn().await?.exec_drop(sql, before).await?)
}
