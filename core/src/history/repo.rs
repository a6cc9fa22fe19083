//! All SQL on `order_transition`: only ever INSERT and SELECT.

use super::Move;
use sluice_contract::sql::{Lit, push_row};

pub fn push_moves(sql: &mut String, moves: &[Move], now_us: i64) {
    sql.push_str(
        "INSERT INTO order_transition (account_id,order_id,version,event,from_state,to_state,channel,code,at_us) VALUES ",
    );
    for (at, m) in moves.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                Lit::Text(&m.account_id),
                Lit::Text(&m.order_id),
                Lit::Int(m.version),
                Lit::Text(m.event),
                Lit::Text(m.from.as_str()),
                Lit::Text(m.to.as_str()),
                m.channel.as_deref().into(),
                m.code.as_deref().into(),
                Lit::Int(now_us),
            ],
        );
    }
    sql.push(';');
}
