//! Messages of a channel of which one field is not the order's, or is missing: each is a
//! case that names the field, moves nothing, and the channel's next straight word ends the
//! order.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{
    ActionScript, BentMessage, EchoedField, FieldBend, ScriptedAction, SimulatorKind,
};
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

/// Channel, message, field, whether it is missing, and the words of the case.
type BentCase = (SimulatorKind, BentMessage, EchoedField, bool, &'static str);

const CASES: [BentCase; 8] = {
    use BentMessage::{Callback, PayReply, QueryReply};
    use EchoedField::{Amount, Currency, Payee, SerialNo, TradeTime};
    use SimulatorKind::{NetsUnion, Psp, UnionPay};
    [
        (NetsUnion, PayReply, Amount, false, "speaks of amount 12"),
        (NetsUnion, PayReply, TradeTime, true, "names no trade time"),
        (Psp, PayReply, SerialNo, false, "speaks of serial number"),
        (
            UnionPay,
            QueryReply,
            TradeTime,
            false,
            "speaks of trade time",
        ),
        (Psp, QueryReply, Currency, false, "speaks of currency USD"),
        (NetsUnion, QueryReply, Payee, true, "names no account"),
        (UnionPay, Callback, Payee, false, "speaks of account"),
        (Psp, Callback, Amount, true, "names no amount"),
    ]
};

#[tokio::test(flavor = "multi_thread")]
async fn a_bent_message_moves_nothing_and_the_next_straight_one_ends_the_order()
-> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("bent", CASES.len() as u64)
        .fund(&set.stage, 1_000)
        .await?;
    let mut orders = Vec::new();
    for (n, (kind, on, field, missing, _)) in CASES.into_iter().enumerate() {
        let to = format!("bent-{n}-x");
        let bend = FieldBend {
            field,
            on,
            missing,
            times: 1,
        };
        let script = ActionScript::new(&to, ScriptedAction::BendField(bend));
        set.stage.sims.add_script(kind, script)?;
        let ask = UpstreamSubmit {
            from: format!("A{n:05}"),
            to,
            amount: "2.00".into(),
            transaction_id: format!("bent-{n}"),
            biz_no: format!("bent-{n}"),
            channel: kind.to_string(),
        };
        orders.push(set.stage.client.submit(&ask).await?);
    }
    let mut conn = set.stage.pool.get_conn().await?;
    let orders_schema = &set.stage.schemas.orders;
    for (order, case) in orders.iter().zip(CASES) {
        set.stage.wait_for_status(order, "success").await?;
        let sql = format!("SELECT detail FROM {orders_schema}.cases WHERE order_id=?");
        let found: Vec<String> = conn.exec(sql, (order,)).await?;
        ensure!(
            found.len() == 1 && found[0].contains(case.4),
            "{case:?}: {found:?}"
        );
        let book = set.stage.book();
        let paid = book.iter().filter(|p| p.serial_no == serial_no(order));
        let amounts: Vec<String> = paid.map(|p| p.amount.to_string()).collect();
        ensure!(amounts.len() == 1, "{case:?}: paid {amounts:?}");
        let first = amounts.first().context("not paid")?;
        ensure!(first.starts_with('2'), "{case:?}: paid {first}");
    }
    drop(conn);
    set.all_is_well().await
}
