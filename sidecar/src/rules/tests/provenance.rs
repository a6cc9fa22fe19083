//! Provenance against signatures that are made here as the core makes them: by
//! hand over the effects, not by the code under test.

use crate::rules::tests::{insert, key, money, text};
use crate::rules::transaction::provenance::{Provenance, of};
use crate::stream::change::{ChangeOp, ChangeTransaction, ColumnValue, RowChange};
use sluice_contract::provenance::{
    SignedAttempt, SignedBalance, SignedEntry, SignedOrder, TransactionEffects, TransactionSigner,
    TransactionVerifier,
};
use sluice_contract::settings::Secret;
use sluice_contract::transaction_key::TransactionKeyPair;
use std::sync::Arc;

fn balance(version: i64) -> RowChange {
    let money = [
        ("balance", money("100.5")),
        ("available", money("88.16")),
        ("reserved", money("12.3400")),
    ];
    let ids = [
        ("account_id", text("A-1")),
        ("currency", text("CNY")),
        ("version", ColumnValue::Int(version)),
    ];
    let mut change = insert("balance", &[money.as_slice(), ids.as_slice()].concat());
    change.before = change.after.clone();
    if let (Some(before), Some(at)) = (change.before.as_mut(), change.table.column("version")) {
        before[at] = ColumnValue::Int(version - 1);
    }
    change.op = ChangeOp::Update;
    change
}

fn guarded() -> Vec<RowChange> {
    let order = [
        ("order_id", "o1"),
        ("state", "init"),
        ("to_account", "6222"),
        ("currency", "CNY"),
        ("account_id", "A-1"),
    ];
    let mut order: Vec<_> = order.map(|(c, v)| (c, text(v))).into();
    order.extend([("amount", money("12.34")), ("version", ColumnValue::Int(1))]);
    let entry = [
        ("posting_id", "o1-reserve"),
        ("book", "available"),
        ("side", "D"),
        ("currency", "CNY"),
        ("account_id", "A-1"),
    ];
    let mut entry: Vec<_> = entry.map(|(c, v)| (c, text(v))).into();
    entry.extend([("amount", money("12.34")), ("line", ColumnValue::Int(0))]);
    let attempt = [
        ("order_id", "o1"),
        ("channel", "unionpay"),
        ("state", "calling"),
        ("account_id", "A-1"),
    ];
    let mut attempt: Vec<_> = attempt.map(|(c, v)| (c, text(v))).into();
    attempt.push(("attempt_no", ColumnValue::Int(1)));
    vec![
        insert("orders", &order),
        balance(7),
        insert("entry", &entry),
        insert("attempt", &attempt),
    ]
}

/// The core's outbox row for `guarded`.
fn outbox() -> RowChange {
    outbox_of(&key().into())
}

fn outbox_of(signer: &TransactionSigner) -> RowChange {
    let mut effects = TransactionEffects::new();
    effects.balance(&SignedBalance {
        account_id: b"A-1",
        currency: b"CNY",
        balance: 1_005_000,
        available: 881_600,
        reserved: 123_400,
        intermediate: 0,
        intermediate_reserved: 0,
        version: 7,
    });
    effects.entry(&SignedEntry {
        account_id: b"A-1",
        posting_id: b"o1-reserve",
        line: 0,
        book: b"available",
        side: b"D",
        amount: 123_400,
        currency: b"CNY",
    });
    effects.order(&SignedOrder {
        account_id: b"A-1",
        order_id: b"o1",
        state: b"init",
        to_account: b"6222",
        amount: 123_400,
        currency: b"CNY",
        version: 1,
        ..SignedOrder::default()
    });
    effects.attempt(&SignedAttempt {
        account_id: b"A-1",
        order_id: b"o1",
        attempt_no: 1,
        channel: b"unionpay",
        state: b"calling",
    });
    let signed = signer.sign(&effects, "tx1", "[1]");
    insert(
        "outbox",
        &[
            ("account_id", text("A-1")),
            ("tx_id", text("tx1")),
            ("events", text("[1]")),
            ("signature", text(&signed.signature)),
            ("proof", text(&signed.proof)),
        ],
    )
}

fn judge(changes: Vec<RowChange>) -> Provenance {
    judge_with(changes, &key())
}

fn judge_with(changes: Vec<RowChange>, key: &Secret) -> Provenance {
    judge_by(changes, &key.clone().into())
}

fn judge_by(changes: Vec<RowChange>, keys: &TransactionVerifier) -> Provenance {
    of(
        &ChangeTransaction {
            position: "0-1-1".into(),
            changes: changes.into_iter().map(Arc::new).collect(),
        },
        keys,
    )
}

fn with(mut changes: Vec<RowChange>, more: RowChange) -> Vec<RowChange> {
    changes.push(more);
    changes
}

fn deleted(mut change: RowChange) -> RowChange {
    change.before = change.after.take();
    change.op = ChangeOp::Delete;
    change
}

/// With one column of the first row of `table` set to something else.
fn tampered(table: &str, column: &str, value: ColumnValue) -> Vec<RowChange> {
    let mut changes = with(guarded(), outbox());
    let change = changes.iter_mut().find(|c| c.table.name == table).unwrap();
    let at = change.table.column(column).unwrap();
    change.after.as_mut().unwrap()[at] = value;
    changes
}

#[test]
fn the_cores_own_transaction_is_valid_in_any_order() {
    assert_eq!(judge(with(guarded(), outbox())), Provenance::Valid);
    let mut backwards = with(guarded(), outbox());
    backwards.reverse();
    assert_eq!(judge(backwards), Provenance::Valid);
    assert_eq!(
        judge_with(with(guarded(), outbox()), &Secret::new("another key")),
        Provenance::Invalid
    );
}

#[test]
fn every_signed_value_counts() {
    for (table, column, value) in [
        ("balance", "available", money("88.17")),
        ("balance", "version", ColumnValue::Int(8)),
        ("balance", "account_id", text("A-2")),
        ("orders", "to_account", text("6223")),
        ("orders", "amount", money("12.35")),
        ("orders", "state", text("success")),
        ("orders", "kind", text("refund")),
        ("orders", "channel", text("psp")),
        ("orders", "serial_no", text("S")),
        ("orders", "trade_time", text("20260101000000")),
        ("balance", "intermediate", money("1.00")),
        ("entry", "book", text("reserved")),
        ("entry", "side", text("C")),
        ("entry", "line", ColumnValue::Int(1)),
        ("attempt", "channel", text("netsunion")),
        ("attempt", "attempt_no", ColumnValue::Int(2)),
        ("outbox", "events", text("[2]")),
        ("outbox", "tx_id", text("tx2")),
        ("outbox", "signature", text("zz")),
        ("orders", "amount", ColumnValue::Null),
        ("orders", "to_account", ColumnValue::Opaque),
        ("outbox", "signature", ColumnValue::Null),
    ] {
        assert_eq!(
            judge(tampered(table, column, value.clone())),
            Provenance::Invalid,
            "{table}.{column} = {value:?}"
        );
    }
    // What the relay, the dispatcher's clock and the channel's words do is not signed.
    assert_eq!(
        judge(tampered("orders", "due_us", ColumnValue::Int(5))),
        Provenance::Valid
    );
}

#[test]
fn a_genuine_signature_played_again_proves_nothing() {
    // The same row, the same signature, another column changed, no new version.
    let mut again = with(guarded(), outbox());
    let change = again
        .iter_mut()
        .find(|c| c.table.name == "balance")
        .unwrap();
    change.before = change.after.clone();
    assert_eq!(judge(again), Provenance::Invalid);
}

#[test]
fn changes_by_hand_are_missing_or_invalid() {
    assert_eq!(judge(guarded()), Provenance::Missing);
    assert_eq!(judge(vec![balance(9)]), Provenance::Missing);
    assert_eq!(
        judge(with(with(guarded(), outbox()), balance(8))),
        Provenance::Invalid
    );
    assert_eq!(judge(vec![deleted(balance(9))]), Provenance::Invalid);
    assert_eq!(
        judge(with(with(guarded(), outbox()), deleted(balance(9)))),
        Provenance::Invalid
    );
    assert_eq!(
        judge(with(with(guarded(), outbox()), outbox())),
        Provenance::Invalid
    );
    let mut rewritten = outbox();
    rewritten.op = ChangeOp::Update;
    rewritten.before = rewritten.after.clone();
    assert_eq!(judge(vec![rewritten]), Provenance::Invalid);
}

#[test]
fn a_replayed_outbox_row_proves_nothing() {
    assert_eq!(judge(vec![outbox()]), Provenance::Invalid);
    // The genuine row beside the change that somebody wants to pass.
    assert_eq!(judge(vec![balance(8), outbox()]), Provenance::Invalid);
}

#[test]
fn what_is_not_guarded_needs_no_signature() {
    assert_eq!(judge(vec![]), Provenance::Valid);
    assert_eq!(judge(vec![deleted(outbox())]), Provenance::Valid);
    assert_eq!(
        judge(vec![insert(
            "fence_token",
            &[("token", ColumnValue::Int(1))]
        )]),
        Provenance::Valid
    );
}

fn pair(digit: &str) -> Arc<TransactionKeyPair> {
    Arc::new(TransactionKeyPair::new(&Secret::new(&digit.repeat(64))).unwrap())
}

/// Whoever has the key of MACs, as each sidecar has, signs nothing that a public key is for.
#[test]
fn public_keys_verify_and_whoever_holds_the_key_of_macs_cannot_sign() {
    let (old, new) = (pair("1"), pair("2"));
    let by = |pair: &Arc<TransactionKeyPair>| {
        let signer = TransactionSigner::new(key(), Some(Arc::clone(pair)));
        with(guarded(), outbox_of(&signer))
    };
    let public = |pair: &Arc<TransactionKeyPair>| pair.public().clone();
    let rolling = TransactionVerifier::new(vec![public(&old), public(&new)], None);
    let rolled = TransactionVerifier::new(vec![public(&new)], None);
    assert_eq!(judge_by(by(&old), &rolling), Provenance::Valid);
    assert_eq!(judge_by(by(&new), &rolling), Provenance::Valid);
    assert_eq!(judge_by(by(&new), &rolled), Provenance::Valid);
    assert_eq!(judge_by(by(&old), &rolled), Provenance::UnknownKey);
    // A sidecar that has no public key yet looks at the MAC beside the proof.
    assert_eq!(judge(by(&new)), Provenance::Valid);
    let forged = || with(guarded(), outbox());
    assert_eq!(judge_by(forged(), &rolled), Provenance::UnknownKey);
    // While cores without a pair still run, and no longer.
    let macs = TransactionVerifier::new(vec![public(&new)], Some(key().into()));
    assert_eq!(judge_by(forged(), &macs), Provenance::Valid);
    // A proof that doesn't hold is not saved by the MAC beside it.
    assert_eq!(judge_by(by(&old), &macs), Provenance::UnknownKey);
    let mut bent = by(&new);
    bent[1] = balance(8);
    assert_eq!(judge_by(bent, &macs), Provenance::Invalid);
}
