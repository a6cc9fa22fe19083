use super::*;
use crate::stream::change::TableSchema;
use sluice_contract::provenance::{SignedDeletions, TransactionSigner, TransactionVerifier};
use sluice_contract::settings::Secret;
use sluice_contract::transaction_key::TransactionKeyPair;
use std::sync::Arc;

const NOW_US: i64 = 1_800_000_000_000_000;

fn key() -> Secret {
    Secret::new("0123456789abcdef")
}

fn text(value: &str) -> ColumnValue {
    ColumnValue::Text(value.into())
}

fn change(
    table: &str,
    columns: &[&str],
    before: Option<&[ColumnValue]>,
    after: Option<&[ColumnValue]>,
) -> Arc<RowChange> {
    Arc::new(RowChange {
        table: Arc::new(TableSchema::new(
            table,
            columns.iter().map(|c| (*c).to_owned()).collect(),
        )),
        op: match (before, after) {
            (None, _) => ChangeOp::Insert,
            (_, None) => ChangeOp::Delete,
            _ => ChangeOp::Update,
        },
        before: before.map(Into::into),
        after: after.map(Into::into),
    })
}

/// A row of a signed table, with its MAC or with what stands there instead.
fn signed(table: &str, mut values: Vec<ColumnValue>, mac: Option<&str>) -> Vec<ColumnValue> {
    let fields: Vec<_> = values.iter().map(|v| field(Some(v)).unwrap()).collect();
    let genuine = GuardRows::new(key()).mac(table, &fields);
    values.push(text(mac.unwrap_or(&genuine)));
    values
}

fn columns(table: &str) -> Vec<&'static str> {
    let signed = signed_guard_table(table).unwrap();
    signed.columns.iter().copied().chain([MAC_COLUMN]).collect()
}

fn judged(behind: bool, changes: Vec<Arc<RowChange>>) -> Vec<(String, usize)> {
    let transaction = ChangeTransaction {
        position: "0-1-7".into(),
        changes,
    };
    GuardJudge::new(GuardRows::new(key()), behind)
        .judge(&transaction, NOW_US)
        .into_iter()
        .map(|breach| (breach.table, breach.count))
        .collect()
}

fn token(token: i64, mac: Option<&str>) -> Vec<ColumnValue> {
    signed(
        "fence_token",
        vec![text("core-1"), ColumnValue::Int(token), ColumnValue::Int(5)],
        mac,
    )
}

fn lease(name: &str, epoch: i64, mac: Option<&str>) -> Vec<ColumnValue> {
    let numbers = [ColumnValue::Int(epoch), ColumnValue::Int(9)];
    let values = [text(name), text("one")].into_iter().chain(numbers);
    signed("lease", values.collect(), mac)
}

#[test]
fn a_row_without_a_valid_mac_is_a_breach_behind_the_mark_alone() {
    let tokens = columns("fence_token");
    let genuine = || change("fence_token", &tokens, None, Some(&token(7, None)));
    let forged = || change("fence_token", &tokens, None, Some(&token(7, Some("00"))));
    assert_eq!(judged(true, vec![genuine()]), []);
    let found = judged(true, vec![genuine(), forged(), forged()]);
    assert_eq!(found, [("fence_token".to_owned(), 2)]);
    assert_eq!(judged(false, vec![forged()]), []);
}

#[test]
fn an_earlier_row_put_back_is_a_breach_and_another_programs_lease_is_none() {
    let all = columns("lease");
    let moved = |name, before, after, mac| {
        let (before, after) = (lease(name, before, None), lease(name, after, mac));
        judged(
            true,
            vec![change("lease", &all, Some(&before), Some(&after))],
        )
    };
    assert_eq!(moved("sidecar", 3, 4, None), []);
    assert_eq!(moved("sidecar", 4, 4, None), [], "renewed");
    assert_eq!(moved("sidecar", 4, 3, None), [("lease".to_owned(), 1)]);
    assert_eq!(moved("sidecar", 3, 4, Some("")), [("lease".to_owned(), 1)]);
    assert_eq!(moved("relay", 3, 4, Some("")), []);
    let gone = change("lease", &all, Some(&lease("sidecar", 3, None)), None);
    assert_eq!(judged(true, vec![gone]), [("lease".to_owned(), 1)]);
}

#[test]
fn the_mark_begins_the_judgement_when_it_passes() {
    let values = vec![
        text(MARK_NAME),
        ColumnValue::Int(1),
        text("0-1-5"),
        text(""),
        text("ann"),
        ColumnValue::Int(9),
    ];
    let mark = signed("guard_seal", values.clone(), None);
    let forged = signed("guard_seal", values, Some("00"));
    let all = columns("guard_seal");
    let tokens = columns("fence_token");
    let token = change("fence_token", &tokens, None, Some(&token(7, Some("00"))));
    let with = |mark: &[ColumnValue]| {
        let mark = change("guard_seal", &all, None, Some(mark));
        judged(false, vec![mark, Arc::clone(&token)])
    };
    assert_eq!(with(&mark), [("fence_token".to_owned(), 1)]);
    assert_eq!(with(&forged), []);
}

#[test]
fn rows_go_by_the_cores_word_or_by_their_age() {
    let outbox = ["account_id", "tx_id", "signature", "events"];
    let row = |tx: &str| [text("A"), text(tx), text("s"), text("[]")];
    let gone = |tx: &str| change("outbox", &outbox, Some(&row(tx)), None);
    assert_eq!(judged(true, vec![gone("t1")]), [("outbox".to_owned(), 1)]);
    let mut named = SignedDeletions::default();
    named.add("outbox", &["A", "t1"]);
    let mark = [
        text("-"),
        text("t9"),
        text(&named.sign(&key().into(), "t9").signature),
        text(&named.events()),
    ];
    let said = || change("outbox", &outbox, None, Some(&mark));
    let itself = || change("outbox", &outbox, Some(&mark), None);
    assert_eq!(judged(true, vec![said(), gone("t1"), itself()]), []);
    let more = judged(true, vec![said(), gone("t1"), gone("t2"), itself()]);
    assert_eq!(more, [("outbox".to_owned(), 1)]);
    let used = change(
        "idempotency",
        &["client", "idempotency_key"],
        Some(&[text("shop"), text("k")]),
        None,
    );
    assert_eq!(judged(true, vec![used]), [("idempotency".to_owned(), 1)]);
    let entry = change("entry", &["account_id"], Some(&[text("A")]), None);
    assert_eq!(judged(true, vec![entry]), [("entry".to_owned(), 1)]);
    let expired = |expires_us: i64| {
        let columns = ["suppression_id", "expires_us"];
        let row = [text("s"), ColumnValue::Int(expires_us)];
        judged(
            true,
            vec![change("suppression", &columns, Some(&row), None)],
        )
    };
    assert_eq!(expired(NOW_US - 31 * 86_400_000_000), []);
    assert_eq!(expired(NOW_US), [("suppression".to_owned(), 1)]);
}

#[test]
fn under_public_keys_deletions_need_the_pair_and_a_strange_key_is_named() {
    let pair = |digit: &str| TransactionKeyPair::new(&Secret::new(&digit.repeat(64))).unwrap();
    let (ours, theirs) = (pair("1"), pair("2"));
    let id = theirs.public().id().to_owned();
    let keys = TransactionVerifier::new(vec![ours.public().clone()], None);
    let columns = ["account_id", "tx_id", "signature", "events", "proof"];
    let told = |pair: Option<TransactionKeyPair>| {
        let mut named = SignedDeletions::default();
        named.add("outbox", &["A", "t1"]);
        let signer = TransactionSigner::new(key(), pair.map(Arc::new));
        let signed = named.sign(&signer, "t9");
        let (signature, proof) = (text(&signed.signature), text(&signed.proof));
        let mark = [
            text("-"),
            text("t9"),
            signature,
            text(&named.events()),
            proof,
        ];
        let row = ["A", "t1", "s", "[]", ""].map(text);
        let changes = vec![
            change("outbox", &columns, None, Some(&mark)),
            change("outbox", &columns, Some(&row), None),
            change("outbox", &columns, Some(&mark), None),
        ];
        let transaction = ChangeTransaction {
            position: "0-1-7".into(),
            changes,
        };
        let rows = GuardRows::new(key()).verifying(keys.clone());
        let found = GuardJudge::new(rows, true).judge(&transaction, NOW_US);
        found.into_iter().map(|b| b.what).collect::<String>()
    };
    assert_eq!(told(Some(ours)), "");
    let by_mac = told(None);
    assert!(by_mac.contains("is a MAC alone"), "{by_mac}");
    let strange = told(Some(theirs));
    assert!(
        strange.contains(&id) && strange.contains("transaction_public_keys"),
        "{strange}"
    );
}

/// Both rows are genuine, and one is of before.
#[test]
fn a_revoked_suppression_and_the_clock_of_a_checkpoint_stay() {
    let number = ColumnValue::Int;
    let suppression = |revoked: bool| {
        let mut values = ["s", "provenance", "A", "why", "ann"].map(text).to_vec();
        values.extend([5, 0, 0, 1, 9].map(number));
        values.extend(match revoked {
            true => [number(7), text("bob")],
            false => [ColumnValue::Null, ColumnValue::Null],
        });
        signed("suppression", values, None)
    };
    let all = columns("suppression");
    let told = |before: &[ColumnValue], after: &[ColumnValue]| {
        judged(
            true,
            vec![change("suppression", &all, Some(before), Some(after))],
        )
    };
    assert_eq!(told(&suppression(false), &suppression(true)), []);
    let back = told(&suppression(true), &suppression(false));
    assert_eq!(back, [("suppression".to_owned(), 1)]);

    let checkpoint = |at_us: i64| {
        let mut values = ["binlog", "0-1-7", "0-1-5", "0"].map(text).to_vec();
        values.push(number(at_us));
        signed("checkpoint", values, None)
    };
    let all = columns("checkpoint");
    let told = |before: i64, after: i64| {
        let (before, after) = (checkpoint(before), checkpoint(after));
        let changed = change("checkpoint", &all, Some(&before), Some(&after));
        judged(true, vec![changed])
    };
    assert_eq!(told(1, 2), []);
    assert_eq!(told(2, 2), [("checkpoint".to_owned(), 1)]);
}

/// A feed tells money as a text; it is the same row.
#[test]
fn a_row_of_a_feed_is_the_same_row() {
    let values = |amount: ColumnValue| {
        let number = ColumnValue::Int;
        vec![
            text("s"),
            text("provenance"),
            text("A"),
            text("why"),
            text("ann"),
            amount.clone(),
            amount,
            number(2),
            number(1),
            number(9),
            ColumnValue::Null,
            ColumnValue::Null,
        ]
    };
    let stored = signed(
        "suppression",
        values(ColumnValue::Dec("1.5".parse().unwrap())),
        None,
    );
    let mac = stored.last().cloned().unwrap();
    let all = columns("suppression");
    let told = |amount: &str| {
        let mut row = values(text(amount));
        row.push(mac.clone());
        judged(true, vec![change("suppression", &all, None, Some(&row))])
    };
    assert_eq!(told("1.5000"), []);
    assert_eq!(told("1.5001"), [("suppression".to_owned(), 1)]);
}
