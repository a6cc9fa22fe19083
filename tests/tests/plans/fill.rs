//! A long history, made by the server itself: half of it is one busy account's, so that what
//! reads all of an account shows.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;

/// Orders that still wait, in each state: counting them is allowed to read them all.
const WAITING: u64 = 1_000;
/// Numbers from 0, by digits: n.
const DIGITS: &str = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
    UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
const ACCOUNT: &str = "IF(n%2=0,'A00001',CONCAT('P',LPAD(n%5000,5,'0')))";
/// As `batches::order_id`.
const ORDER_ID: &str = "CONCAT('01',LPAD(LOWER(HEX(n)),30,'0'))";

/// Fills every table that grows with `rows` rows, and has the server look at them.
pub(super) async fn fill(conn: &mut Conn, schemas: &Schemas, rows: u64) -> anyhow::Result<()> {
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    conn.query_drop("SET GLOBAL innodb_flush_log_at_trx_commit=0")
        .await?;
    let tables: Vec<FilledTable> = tables_of_orders(&schemas.orders)
        .into_iter()
        .chain(other_tables(schemas))
        .collect();
    for (table, columns, values) in &tables {
        insert(conn, table, columns, values, rows).await?;
    }
    waiting(conn, &schemas.orders).await?;
    for (table, ..) in &tables {
        conn.query_drop(format!("ANALYZE TABLE {table}")).await?;
    }
    Ok(())
}

/// A table, its columns, and their values by the number n.
type FilledTable = (String, &'static str, String);

fn tables_of_orders(orders: &str) -> Vec<FilledTable> {
    vec![
        (
            format!("{orders}.orders"),
            "account_id,order_id,client,transaction_id,biz_no,to_account,amount,currency,state,channel,serial_no,\
             trade_time,attempts,version,created_us,updated_us",
            format!(
                "{ACCOUNT},{ORDER_ID},IF(n%3=0,'local','other'),CONCAT('t',n%1000),CONCAT('b',n%1000),'payee',1,'CNY',\
                     'success','netsunion',UPPER({ORDER_ID}),'20250101000000',1,4,n,n"
            ),
        ),
        (
            format!("{orders}.attempt"),
            "account_id,order_id,attempt_no,channel,state,live",
            format!("{ACCOUNT},{ORDER_ID},1,'netsunion','success',NULL"),
        ),
        (
            format!("{orders}.order_transition"),
            "account_id,order_id,version,event,from_state,to_state,at_us",
            format!("{ACCOUNT},{ORDER_ID},2,'claim','init','dispatching',n"),
        ),
        (
            format!("{orders}.idempotency"),
            "client,idempotency_key,request_hash,account_id,order_id,created_us",
            format!("IF(n%3=0,'local','other'),CONCAT('k',n),'',{ACCOUNT},{ORDER_ID},n"),
        ),
        (
            format!("{orders}.outbox"),
            "account_id,tx_id,signature,events,created_us",
            format!("{ACCOUNT},{ORDER_ID},'','[]',n"),
        ),
        (
            format!("{orders}.outbox_archive"),
            "account_id,tx_id,events,created_us,archived_us",
            format!("{ACCOUNT},{ORDER_ID},'[]',n,n"),
        ),
        (
            format!("{orders}.cases"),
            "account_id,order_id,kind,detail,state,opened_us,closed_us,closed_by",
            format!("{ACCOUNT},{ORDER_ID},'not_sent','-','closed',n,n,'core'"),
        ),
        (
            format!("{orders}.limit_total"),
            "scope,scope_key,currency,period,amount,version,updated_us",
            format!("'account',{ACCOUNT},'CNY',CONCAT('19',LPAD(n,6,'0')),1,1,n"),
        ),
    ]
}

fn other_tables(schemas: &Schemas) -> Vec<FilledTable> {
    let (ledger, guard, balance) = (&schemas.ledger, &schemas.guard, &schemas.balance);
    vec![
        (
            format!("{ledger}.entry"),
            "account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us",
            format!(
                "{ACCOUNT},CONCAT({ORDER_ID},'-end'),n%2,'finalize','available','C',1,'CNY',{ORDER_ID},1700000000000000+n"
            ),
        ),
        (
            format!("{ledger}.daily_balance"),
            "account_id,currency,book,until_us,held",
            format!("{ACCOUNT},'CNY','available',1700000000000000+n,1"),
        ),
        (
            format!("{balance}.balance"),
            "account_id,currency,balance,available,reserved,version",
            "CONCAT('Q',n),'CNY',1,1,0,1".to_owned(),
        ),
        (
            format!("{balance}.capture"),
            "account_id,payment_no,currency,captured,refunded,settled,version,updated_us",
            format!("{ACCOUNT},CONCAT('p',n),'CNY',1,0,0,1,n"),
        ),
        (
            format!("{guard}.breaker"),
            "point,scope,scope_key,state,reason,changed_by,version,updated_us",
            "'cash_out','account',CONCAT('Q',n),'closed','','test',2,n".to_owned(),
        ),
    ]
}

/// Orders that are due in every state that recovery and dispatch look at.
async fn waiting(conn: &mut Conn, orders: &str) -> anyhow::Result<()> {
    for (state, letter) in [("init", 'a'), ("manual", 'b'), ("in_doubt", 'c')] {
        let values = format!(
            "CONCAT('W',n%50),CONCAT('f{letter}',LPAD(n,30,'0')),'payee',1,'CNY','{state}','netsunion','{letter}',1,3,n,n,n"
        );
        let columns = "account_id,order_id,to_account,amount,currency,state,channel,serial_no,attempts,version,due_us,\
                       created_us,updated_us";
        insert(conn, &format!("{orders}.orders"), columns, &values, WAITING).await?;
    }
    Ok(())
}

async fn insert(
    conn: &mut Conn,
    table: &str,
    columns: &str,
    values: &str,
    rows: u64,
) -> anyhow::Result<()> {
    // A part at a time: one transaction of a million rows would be slower.
    for from in (0..rows).step_by(100_000) {
        let until = rows.min(from + 100_000);
        let numbers = format!(
            "(SELECT {from}+a.d+10*b.d+100*c.d+1000*e.d+10000*f.d n FROM {DIGITS} a,{DIGITS} b,{DIGITS} c,{DIGITS} e,\
             {DIGITS} f) numbers"
        );
        let sql = format!(
            "INSERT IGNORE INTO {table} ({columns}) SELECT {values} FROM {numbers} WHERE n<{until}"
        );
        conn.query_drop(sql).await?;
    }
    Ok(())
}
