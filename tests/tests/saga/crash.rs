//! A crash between any two steps ends in balanced books.

use crate::saga::hand::{SagaHand, capture, deposit, send, withdraw};
use crate::saga::{quiet, settled};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::order::OrderKind;
use sluice_core::orders::state::OrderInput;
use sluice_tests::TestStage;

/// The sums that account `name` shall have at the end: available, reserved, intermediate,
/// intermediate reserved; and the state and code of its order.
pub(super) struct ExpectedAccount {
    pub(super) account: String,
    pub(super) parts: [i64; 4],
    pub(super) order: Option<(&'static str, Option<&'static str>)>,
}

/// Makes one of each end of an order, stopped after step `last`.
async fn all_ends(
    set: &TestStage,
    hand: &SagaHand,
    last: u32,
) -> anyhow::Result<Vec<ExpectedAccount>> {
    let mut wants = Vec::new();
    let mut want = |account: &str, parts: [i64; 4], order| {
        wants.push(ExpectedAccount {
            account: account.into(),
            parts,
            order,
        })
    };

    let account = format!("refund-{last}");
    let intents = hand
        .booking(&format!("pay-{account}"), capture(&account, "p"))
        .await?;
    hand.go_on(intents, 4).await?;
    let at = hand.order(&account, OrderKind::Refund, Some("p")).await?;
    hand.record_outcome(&at, OrderInput::Cancel).await?;
    hand.go_on(hand.saga.open_of(&[at]).await?, last).await?;
    want(&account, [0, 0, 100, 0], Some(("failed", None)));

    let account = format!("release-{last}");
    hand.fund(&account, 100).await?;
    let at = hand.order(&account, OrderKind::CashOut, None).await?;
    hand.record_outcome(&at, OrderInput::Cancel).await?;
    hand.go_on(hand.saga.open_of(&[at]).await?, last).await?;
    want(&account, [100, 0, 0, 0], Some(("failed", None)));

    let account = format!("finalize-{last}");
    hand.fund(&account, 100).await?;
    let at = hand.order(&account, OrderKind::CashOut, None).await?;
    send(set, &at).await?;
    hand.record_outcome(&at, OrderInput::Succeeded).await?;
    hand.go_on(hand.saga.open_of(&[at]).await?, last).await?;
    want(&account, [90, 0, 0, 0], Some(("success", None)));

    // The return is there before the end is booked.
    let account = format!("returned-{last}");
    hand.fund(&account, 100).await?;
    let at = hand.order(&account, OrderKind::CashOut, None).await?;
    send(set, &at).await?;
    hand.record_outcome(&at, OrderInput::Succeeded).await?;
    hand.record_outcome(&at, OrderInput::Returned).await?;
    let open = hand.saga.open_of(&[at]).await?;
    ensure!(open.len() == 2, "{open:?}");
    hand.go_on(open, last).await?;
    want(&account, [100, 0, 0, 0], Some(("returned", None)));
    Ok(wants)
}

/// Makes one of each kind of booking, stopped after step `last`.
async fn all_kinds(
    set: &TestStage,
    hand: &SagaHand,
    last: u32,
) -> anyhow::Result<Vec<ExpectedAccount>> {
    let mut wants = Vec::new();
    let mut want = |account: &str, parts: [i64; 4], order| {
        wants.push(ExpectedAccount {
            account: account.into(),
            parts,
            order,
        })
    };

    let account = format!("deposit-{last}");
    let intents = hand
        .booking(&account, deposit(&account, &account, 7))
        .await?;
    hand.go_on(intents, last).await?;
    want(&account, [7, 0, 0, 0], None);

    let account = format!("capture-{last}");
    let intents = hand.booking(&account, capture(&account, &account)).await?;
    hand.go_on(intents, last).await?;
    want(&account, [0, 0, 100, 0], None);

    let account = format!("reserve-{last}");
    hand.fund(&account, 100).await?;
    let intents = hand
        .booking(&account, withdraw(&account, 10, OrderKind::CashOut, None))
        .await?;
    hand.go_on(intents, last).await?;
    want(&account, [90, 10, 0, 0], Some(("init", None)));

    let account = format!("refused-{last}");
    hand.fund(&account, 9).await?;
    let intents = hand
        .booking(&account, withdraw(&account, 10, OrderKind::CashOut, None))
        .await?;
    hand.go_on(intents, last).await?;
    want(
        &account,
        [9, 0, 0, 0],
        Some(("failed", Some("insufficient_funds"))),
    );

    let mut all = wants;
    all.extend(all_ends(set, hand, last).await?);
    Ok(all)
}

pub(super) async fn check(set: &TestStage, want: &ExpectedAccount) -> anyhow::Result<()> {
    let split_books = set
        .stage
        .split_books
        .as_ref()
        .context("servers of their own")?;
    let mut conn = split_books.balance_pool.get_conn().await?;
    let sql = format!(
        "SELECT available,reserved,intermediate,intermediate_reserved FROM {}.balance WHERE account_id=?",
        set.stage.schemas.balance
    );
    let row: Option<(Decimal, Decimal, Decimal, Decimal)> =
        conn.exec_first(sql, (&want.account,)).await?;
    let (available, reserved, intermediate, held) =
        row.with_context(|| format!("{} has no balance", want.account))?;
    let have = [available, reserved, intermediate, held];
    ensure!(
        have == want.parts.map(Decimal::from),
        "{} has {have:?}, not {:?}",
        want.account,
        want.parts
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let orders = &set.stage.schemas.orders;
    let sql = format!("SELECT state,result_code FROM {orders}.orders WHERE account_id=?");
    let order: Option<(String, Option<String>)> = conn.exec_first(sql, (&want.account,)).await?;
    let told = order
        .as_ref()
        .map(|(state, code)| (state.as_str(), code.as_deref()));
    ensure!(
        told == want.order,
        "{}'s order is {told:?}, not {:?}",
        want.account,
        want.order
    );
    let sql = format!("SELECT COUNT(*) FROM {orders}.idempotency WHERE idempotency_key=?");
    let keys: Option<u64> = conn.exec_first(sql, (&want.account,)).await?;
    let refused = want.account.starts_with("refused");
    ensure!(
        !refused || keys == Some(0),
        "a refusal burned the key of {}",
        want.account
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_any_two_steps_ends_in_balanced_books() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(quiet()).await?;
    set.stage.start_core().await?;
    let mut core = set.stage.core.take().context("core")?;
    core.kill9()?;
    let hand = SagaHand::on(&set)?;
    let mut wants = Vec::new();
    for last in 1..=4 {
        wants.extend(all_kinds(&set, &hand, last).await?);
    }
    core.restart()?;
    set.stage.core = Some(core);
    settled(&set).await?;
    for want in &wants {
        check(&set, want).await?;
    }
    Ok(())
}
