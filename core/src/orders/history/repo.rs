//! All SQL on `order_transition`: only ever INSERT and SELECT.

use crate::orders::OrderRef;
use crate::orders::history::OrderTransition;
use sluice_contract::order::OrderState;
use sluice_contract::sql::{SqlLiteral, in_list, pair_list, push_row};

pub fn push_transitions(sql: &mut String, moves: &[OrderTransition], now_us: i64) {
    sql.push_str(
        "INSERT INTO order_transition (account_id,order_id,version,event,from_state,to_state,channel,code,at_us) VALUES ",
    );
    for (at, m) in moves.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&m.account_id),
                SqlLiteral::Text(&m.order_id),
                SqlLiteral::Int(m.version),
                SqlLiteral::Text(m.event),
                SqlLiteral::Text(m.from.as_str()),
                SqlLiteral::Text(m.to.as_str()),
                m.channel.as_deref().into(),
                m.code.as_deref().into(),
                SqlLiteral::Int(now_us),
            ],
        );
    }
    sql.push(';');
}

/// Makes the statement that finds which of these orders have come to an end: none ever
/// leaves it.
pub fn ended_sql(orders: &[OrderRef]) -> String {
    let ends = OrderState::ALL.iter().filter(|state| state.is_end());
    format!(
        "SELECT order_id FROM order_transition FORCE INDEX (PRIMARY) WHERE (account_id,order_id) IN {} AND to_state IN {}",
        pair_list(
            orders
                .iter()
                .map(|o| (o.account_id.as_str(), o.order_id.as_str()))
        ),
        in_list(ends.map(|state| state.as_str()))
    )
}
