//! Sums against plain maps, over random transactions.

use super::*;
use crate::stream::change::{ChangeOp, RowImage, TableSchema};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Key = (String, String);

/// A row of `entry` or `balance`: account, currency, amount in units, and whether it is a credit.
type Row = (u8, u8, i64, bool);

fn image((account, currency, units, credit): Row) -> RowImage {
    let text = |text: String| ColumnValue::Text(text.into());
    [
        text(format!("A-{account}")),
        text(["CNY", "USD"][usize::from(currency)].to_owned()),
        ColumnValue::Dec(Decimal::new(units, 4)),
        text(if credit { "C" } else { "D" }.to_owned()),
    ]
    .into_iter()
    .collect()
}

fn transaction(rows: &[(bool, Option<Row>, Option<Row>)]) -> SummedTransaction {
    let columns = ["account_id", "currency", "amount", "side"].map(str::to_owned);
    let tables =
        ["entry", "balance"].map(|name| Arc::new(TableSchema::new(name, columns.to_vec())));
    let changes = rows.iter().map(|(is_balance, before, after)| {
        Arc::new(RowChange {
            table: Arc::clone(&tables[usize::from(*is_balance)]),
            op: ChangeOp::Update,
            before: before.map(image),
            after: after.map(image),
        })
    });
    SummedTransaction {
        transaction: Arc::new(ChangeTransaction {
            position: "0-1-1".into(),
            changes: changes.collect(),
        }),
        cache: Arc::default(),
    }
}

/// The same sums, one by one.
fn plain(
    rows: &[(bool, Option<Row>, Option<Row>)],
    of_balance: bool,
    is_signed: bool,
) -> BTreeMap<Key, i64> {
    let mut sums = BTreeMap::new();
    for (_, before, after) in rows
        .iter()
        .filter(|(is_balance, ..)| *is_balance == of_balance)
    {
        for (row, factor) in [(before, -1), (after, 1)] {
            let Some((account, currency, units, credit)) = row else {
                continue;
            };
            let sign = if is_signed && !credit { -1 } else { 1 };
            let key = (
                format!("A-{account}"),
                ["CNY", "USD"][usize::from(*currency)].to_owned(),
            );
            *sums.entry(key).or_default() += units * factor * sign;
        }
    }
    sums
}

/// Keys and amounts that a rule would be told.
fn named_sums(found: Array, names: &[&str]) -> BTreeMap<Key, Vec<Decimal>> {
    let read = |one: Dynamic| {
        let map = one.cast::<Map>();
        let key: Vec<String> = map["key"]
            .clone()
            .cast::<Array>()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(map["account"].to_string(), key[0]);
        let amounts = names
            .iter()
            .map(|name| map[*name].clone().cast::<Decimal>());
        ((key[0].clone(), key[1].clone()), amounts.collect())
    };
    found.into_iter().map(read).collect()
}

fn row() -> impl Strategy<Value = Row> {
    (0..4_u8, 0..2_u8, -3..4_i64, any::<bool>())
}

proptest! {
    #[test]
    fn sums_and_differences_are_those_of_plain_maps(
        rows in proptest::collection::vec((any::<bool>(), proptest::option::of(row()), proptest::option::of(row())), 0..40),
    ) {
        let of = transaction(&rows);
        let keys: Array = ["account_id", "currency"].map(Into::into).to_vec();
        let (booked, moved) = (plain(&rows, false, true), plain(&rows, true, false));
        let dec = |units: i64| Decimal::new(units, 4).normalize();
        // Asked twice: the second time the groups are there already.
        for _ in 0..2 {
            let mut net = TransactionSums::net(&of, "entry", &keys, &Map::new()).unwrap();
            let mut moves = TransactionSums::moves(&of, "balance", &keys, "amount").unwrap();
            let nonzero = booked.iter().filter(|(_, sum)| **sum != 0);
            let nonzero = nonzero.map(|(key, sum)| (key.clone(), vec![dec(*sum)])).collect();
            prop_assert_eq!(named_sums(net.nonzero(), &["amount"]), nonzero);
            let all = booked.keys().chain(moved.keys()).cloned();
            let sides = all.map(|key| {
                let side = |of: &BTreeMap<Key, i64>| of.get(&key).copied().unwrap_or_default();
                let sides = (side(&moved), side(&booked));
                (key, sides)
            });
            let differing = sides
                .filter(|(_, (left, right))| left != right)
                .map(|(key, (left, right))| (key, vec![dec(left), dec(right)]))
                .collect();
            prop_assert_eq!(named_sums(moves.differs(net), &["left", "right"]), differing);
        }
    }
}
