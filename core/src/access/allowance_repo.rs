//! All SQL on `limit_client_hour`: shares of an hour's allowance, taken and given back.

use crate::access::allowance::AllowanceKey;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::sql::Pool;

/// Tries to take a share while other cores take theirs.
const MAX_TRIES: usize = 8;
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

/// Takes a share of at least `needed`, never beyond `limit`: decided by the database.
pub(super) async fn take(
    pool: &Pool,
    key: &AllowanceKey,
    hour: i64,
    needed: Decimal,
    limit: Decimal,
) -> anyhow::Result<TakenShare> {
    let mut conn = pool.get_conn().await?;
    let id = (hour, &key.client, key.grant.as_str(), key.currency.code());
    let mut left = Decimal::ZERO;
    for _ in 0..MAX_TRIES {
        let sql = "SELECT taken FROM limit_client_hour WHERE hour=? AND client=? AND grant_word=? AND currency=?";
        let taken: Option<Decimal> = conn.exec_first(sql, id).await?;
        let Some(taken) = taken else {
            let sql = "INSERT IGNORE INTO limit_client_hour (hour,client,grant_word,currency,taken,updated_us) \
                       VALUES (?,?,?,?,0,?)";
            conn.exec_drop(sql, (id.0, id.1, id.2, id.3, now_us()))
                .await?;
            continue;
        };
        left = limit - taken;
        if left < needed {
            break;
        }
        let part = (left / Decimal::from(SHARE_DIVISOR)).trunc_with_scale(key.currency.exponent());
        let share = needed.max(part);
        let sql = "UPDATE limit_client_hour SET taken=taken+?,updated_us=? \
                   WHERE hour=? AND client=? AND grant_word=? AND currency=? AND taken=?";
        conn.exec_drop(sql, (share, now_us(), id.0, id.1, id.2, id.3, taken))
            .await?;
        if conn.affected_rows() == 1 {
            return Ok(TakenShare::Taken(share));
        }
    }
    Ok(TakenShare::TooLittle(left.max(Decimal::ZERO)))
}

/// Gives back what a core took and did not spend.
pub(super) async fn give_back(
    pool: &Pool,
    key: &AllowanceKey,
    hour: i64,
    unspent: Decimal,
) -> anyhow::Result<()> {
    let sql = "UPDATE limit_client_hour SET taken=taken-?,updated_us=? \
               WHERE hour=? AND client=? AND grant_word=? AND currency=? AND taken>=?";
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
