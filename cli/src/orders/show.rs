//! `sluice orders show`: one order with its route, attempts, postings and cases.

use crate::orders::time;
use sluice_core::lookup::{CaseRow, OrderLookup};
use sluice_core::orders::Order;

/// Writes the order's fields, its route, then its attempts, postings and cases.
pub(super) async fn show(lookup: &OrderLookup, order: &Order) -> anyhow::Result<String> {
    let timeline = lookup.timeline(order).await?;
    let mut text: String = parties(order)
        .into_iter()
        .chain(progress(order))
        .map(|(name, value)| format!("{name:<12} {value}\n"))
        .collect();
    text += &route(order);
    for a in &timeline.attempts {
        let live = if a.live { "may still pay" } else { "ended" };
        text += &format!(
            "attempt {:<4} {}: {}, {live}, code {}\n",
            a.number,
            a.channel,
            a.state,
            dash(&a.code)
        );
    }
    for p in &timeline.postings {
        let amount = format!("{} {}", p.amount.normalize(), p.currency);
        text += &format!(
            "{:<12} {amount} from {} to {} ({})\n",
            p.kind, p.debit, p.credit, p.posting_id
        );
    }
    Ok(text + &timeline.cases.iter().map(case).collect::<String>())
}

fn dash(text: &Option<String>) -> String {
    text.clone().unwrap_or("-".into())
}

/// The order as it was asked for.
fn parties(order: &Order) -> Vec<(&'static str, String)> {
    let state = format!("{} (shown as {})", order.state.as_str(), order.shown());
    let amount = format!("{} {}", order.amount.normalize(), order.currency);
    let to = format!("{}, bank {}", order.to_account, dash(&order.bank));
    let client = format!("{}, user {}", order.client, dash(&order.user_id));
    vec![
        ("order", order.order_id.clone()),
        ("state", state),
        ("kind", order.kind.as_str().into()),
        ("amount", amount),
        ("from", order.account_id.clone()),
        ("to", to),
        ("client", client),
        ("transaction", order.transaction_id.clone()),
        ("bizNo", dash(&order.biz_no)),
        ("payment", dash(&order.payment_no)),
    ]
}

/// The order as far as it has come.
fn progress(order: &Order) -> Vec<(&'static str, String)> {
    let serial_no = format!("{} at {}", order.serial_no, dash(&order.trade_time));
    let sent = format!("{} times, asked for {} times", order.sends, order.queries);
    // An order that waits for nobody is due at the end of time.
    let due = order.due_us.filter(|due_us| *due_us < i64::MAX);
    let at = |us: Option<i64>| us.map_or("-".into(), time);
    let refused = order.send_refusal.map_or("-", |r| r.as_str()).to_owned();
    vec![
        ("channel", dash(&order.channel)),
        ("serial no", serial_no),
        ("sent", sent),
        ("last code", dash(&order.result_code)),
        ("version", order.version.to_string()),
        ("made", time(order.created_us)),
        ("changed", time(order.updated_us)),
        ("due", at(due)),
        ("send by", at(order.send_by_us)),
        ("last heard", at(order.last_heard_us)),
        ("refused", refused),
        ("acknowledged", at(order.acknowledged_us)),
    ]
}

fn case(case: &CaseRow) -> String {
    let closed = case.closed_us.map(|us| {
        let who = case.closed_by.as_deref().unwrap_or("-");
        format!(
            ", closed {} by {who} {}",
            time(us),
            case.note.as_deref().unwrap_or_default()
        )
    });
    format!(
        "{:<12} {}: {} (since {}{})\n",
        "case",
        case.kind,
        case.detail,
        time(case.opened_us),
        closed.unwrap_or_default()
    )
}

/// The route as it was chosen: the channel, then each one that was not, and why.
fn route(order: &Order) -> String {
    let Some(json) = &order.route else {
        return String::new();
    };
    let Ok(route) = serde_json::from_str::<serde_json::Value>(json) else {
        return format!("{:<12} {json}\n", "route");
    };
    let word = |value: &serde_json::Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut text = format!(
        "{:<12} {} by version {}\n",
        "route",
        word(&route["chosen"]),
        route["version"]
    );
    for no in route["rejected"].as_array().into_iter().flatten() {
        text += &format!(
            "{:<12} not {}: {} ({})\n",
            "",
            word(&no["channel"]),
            word(&no["reason"]),
            word(&no["by"])
        );
    }
    text
}
