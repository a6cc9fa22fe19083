//! SQL of the checks. They read across schemas on purpose: a check must not share
//! the code that it checks.

use super::Counts;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;

#[derive(Debug, Clone)]
pub struct OrderRow {
    pub order_id: String,
    pub serial_no: String,
    pub state: String,
    pub amount: Decimal,
    pub currency: String,
    pub to_account: String,
    pub attempts: i64,
}

/// Postings whose debits and credits differ in some currency.
pub async fn unbalanced_postings(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(account_id,' ',posting_id,' ',currency) FROM {}.entry GROUP BY account_id,posting_id,currency \
         HAVING SUM(IF(side='D',amount,-amount))<>0",
        schemas.ledger
    );
    Ok(conn.query(sql).await?)
}

/// Balances that differ from the sums of their entries, don't add up, or are negative.
pub async fn balances_off(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(b.account_id,' ',b.currency,' has ',b.available,'+',b.reserved,'=',b.balance,\
           ', entries say ',IFNULL(e.available,0),'+',IFNULL(e.reserved,0)) \
         FROM {balance}.balance b LEFT JOIN (SELECT account_id,currency,\
           SUM(IF(book='available',IF(side='C',amount,-amount),0)) available,\
           SUM(IF(book='reserved',IF(side='C',amount,-amount),0)) reserved,\
           SUM(IF(book='intermediate',IF(side='C',amount,-amount),0)) intermediate,\
           SUM(IF(book='intermediate_reserved',IF(side='C',amount,-amount),0)) held \
           FROM {ledger}.entry GROUP BY account_id,currency) e USING (account_id,currency) \
         WHERE b.balance<>b.available+b.reserved OR b.available<0 OR b.reserved<0 \
           OR b.available<>IFNULL(e.available,0) OR b.reserved<>IFNULL(e.reserved,0) \
           OR b.intermediate<0 OR b.intermediate<>IFNULL(e.intermediate,0) \
           OR b.intermediate_reserved<0 OR b.intermediate_reserved<>IFNULL(e.held,0)",
        balance = schemas.balance,
        ledger = schemas.ledger
    );
    Ok(conn.query(sql).await?)
}

/// Orders that have taken money and neither failed nor came back.
const TAKING: &str = "state NOT IN ('failed','returned','booking')";

/// Captured payments that are exceeded, or whose parts are not the sums of their orders.
pub async fn captures_off(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(c.account_id,' ',c.payment_no,' captured ',c.captured,', refunded ',c.refunded,', settled ',\
           c.settled,'; orders say ',IFNULL(o.refunded,0),' and ',IFNULL(o.settled,0)) \
         FROM {balance}.capture c LEFT JOIN (SELECT account_id,payment_no,\
           SUM(IF(kind='refund',amount,0)) refunded,SUM(IF(kind='settlement',amount,0)) settled \
           FROM {orders}.orders WHERE payment_no IS NOT NULL AND {TAKING} GROUP BY account_id,payment_no) o \
         USING (account_id,payment_no) \
         WHERE c.refunded<0 OR c.settled<0 OR c.refunded+c.settled>c.captured \
           OR c.refunded<>IFNULL(o.refunded,0) OR c.settled<>IFNULL(o.settled,0)",
        balance = schemas.balance,
        orders = schemas.orders
    );
    Ok(conn.query(sql).await?)
}

/// Intermediate accounts that are not what was captured less what orders took.
pub async fn intermediate_off(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(b.account_id,' ',b.currency,' intermediate ',b.intermediate,'+',b.intermediate_reserved,\
           ', captured ',IFNULL(c.captured,0),', taken ',IFNULL(o.taken,0)) \
         FROM {balance}.balance b LEFT JOIN (SELECT account_id,currency,SUM(captured) captured \
           FROM {balance}.capture GROUP BY account_id,currency) c USING (account_id,currency) \
         LEFT JOIN (SELECT account_id,currency,SUM(amount) taken,SUM(IF(state='success',0,amount)) held \
           FROM {orders}.orders WHERE kind<>'cash_out' AND {TAKING} GROUP BY account_id,currency) o \
         USING (account_id,currency) \
         WHERE b.intermediate<>IFNULL(c.captured,0)-IFNULL(o.taken,0) \
           OR b.intermediate_reserved<>IFNULL(o.held,0)",
        balance = schemas.balance,
        orders = schemas.orders
    );
    Ok(conn.query(sql).await?)
}

pub async fn orders(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<OrderRow>> {
    let sql = format!(
        "SELECT order_id,serial_no,state,amount,currency,to_account,attempts FROM {}.orders WHERE kind<>'settlement'",
        schemas.orders
    );
    let rows: Vec<(String, String, String, Decimal, String, String, i64)> = conn.query(sql).await?;
    let make = |(order_id, serial_no, state, amount, currency, to_account, attempts)| OrderRow {
        order_id,
        serial_no,
        state,
        amount,
        currency,
        to_account,
        attempts,
    };
    Ok(rows.into_iter().map(make).collect())
}

pub async fn counts(conn: &mut Conn, schemas: &Schemas, expected: &[String]) -> anyhow::Result<Counts> {
    let by_state: Vec<(String, u64)> =
        conn.query(format!("SELECT state,COUNT(*) FROM {}.orders GROUP BY state", schemas.orders)).await?;
    let outside = if expected.is_empty() {
        String::new()
    } else {
        format!(" WHERE account_id NOT IN {}", in_list(expected.iter().map(String::as_str)))
    };
    let false_positives: Option<u64> =
        conn.query_first(format!("SELECT COUNT(*) FROM {}.verdict{outside}", schemas.guard)).await?;
    Ok(Counts { by_state: by_state.into_iter().collect(), false_positives: false_positives.unwrap_or(0) })
}
