//! Accounts at rest with their orders and entries, made by the server itself.

use crate::stage::DrillStage;
use anyhow::Context;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::sql;

/// Accounts of one INSERT while filling.
const ACCOUNTS_PER_INSERT: u64 = 20_000;

/// Makes accounts `from` to `to` with a deposit, `orders` paid orders each and their
/// entries. Not in the binlog: nobody follows it yet.
pub(super) async fn fill(
    stage: &DrillStage,
    orders: u64,
    from: u64,
    to: u64,
) -> anyhow::Result<()> {
    let mut conn = sql::connect(&stage.url).await?;
    conn.query_drop("SET SESSION sql_log_bin=0, unique_checks=0")
        .await?;
    let mut at = from;
    while at < to {
        let last = (at + ACCOUNTS_PER_INSERT).min(to) - 1;
        insert_accounts(&mut conn, stage, orders, &format!("seq_{at}_to_{last}")).await?;
        at = last + 1;
    }
    Ok(())
}

async fn insert_accounts(
    conn: &mut Conn,
    stage: &DrillStage,
    orders: u64,
    accounts: &str,
) -> anyhow::Result<()> {
    let s = &stage.schemas;
    let id = "CONCAT('S',LPAD(a.seq,8,'0'))";
    let order = "CONCAT(LPAD(HEX(a.seq),16,'0'),LPAD(HEX(o.seq),16,'0'))";
    // Sequences are found through the schema that is in use.
    conn.query_drop(format!("USE {}", s.ledger)).await?;
    let money = 100 * orders;
    for insert in [
        format!(
            "INSERT INTO {}.balance (account_id,currency,balance,available,reserved,version,updated_us) \
             SELECT {id},'CNY',{money},{money},0,1,1 FROM {accounts} a",
            s.balance
        ),
        format!(
            "INSERT INTO {}.entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us) \
             SELECT {id},CONCAT('dep-',a.seq),l.seq,'deposit',IF(l.seq=0,'clearing.payments','available'),\
             IF(l.seq=0,'D','C'),{},'CNY',a.seq,1 FROM {accounts} a JOIN seq_0_to_1 l",
            s.ledger,
            110 * orders
        ),
        format!(
            "INSERT INTO {}.entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us) \
             SELECT {id},CONCAT({order},IF(l.seq<2,'-reserve','-end')),l.seq MOD 2,IF(l.seq<2,'reserve','finalize'),\
             ELT(l.seq+1,'available','reserved','reserved','clearing.netsunion'),IF(l.seq MOD 2=0,'D','C'),10,'CNY',{order},1 \
             FROM {accounts} a JOIN seq_1_to_{orders} o JOIN seq_0_to_3 l",
            s.ledger
        ),
        format!(
            "INSERT INTO {}.orders (account_id,order_id,client,user_id,to_account,amount,currency,state,channel,serial_no,\
             attempts,version,created_us,updated_us) SELECT {id},{order},'bench','user-1','payee-1',10,'CNY','success',\
             'netsunion',{order},1,4,1,1 FROM {accounts} a JOIN seq_1_to_{orders} o",
            s.orders
        ),
    ] {
        conn.query_drop(insert)
            .await
            .context("accounts are made with MariaDB's sequence engine")?;
    }
    Ok(())
}
