//! Facts and movements, without a server.

use crate::audit::read::AccountMovement;
use crate::audit::read::books::books;
use crate::audit::read::checksum_diff::ChecksumDiff;
use crate::audit::sql::books_sql::{BalanceRow, EntrySums};
use crate::rules::text::audit_facts::fact_account;
use crate::stream::change::ColumnValue;

fn movement(open: &[&str], versions: &[(&str, &str, i64)]) -> AccountMovement {
    AccountMovement {
        open: open.iter().map(|a| (*a).to_owned()).collect(),
        versions: versions
            .iter()
            .map(|(a, c, v)| (((*a).to_owned(), (*c).to_owned()), *v))
            .collect(),
    }
}

#[test]
fn only_what_nobody_moves_stands_still() {
    let before = movement(
        &["b"],
        &[
            ("a", "CNY", 1),
            ("a", "EUR", 5),
            ("b", "CNY", 1),
            ("c", "CNY", 1),
        ],
    );
    let after = movement(
        &["d"],
        &[
            ("a", "CNY", 1),
            ("a", "EUR", 5),
            ("b", "CNY", 1),
            ("c", "CNY", 2),
        ],
    );
    let still = |account: &str| before.still(&after, account);
    assert!(still("a") && still("nobody"));
    // A booking under way before or after; a balance that moved.
    assert!(!still("b") && !still("d") && !still("c"));
}

#[test]
fn balances_meet_their_entries_by_account_and_currency() {
    let row = |account: &str, currency: &str| BalanceRow {
        account: account.into(),
        currency: currency.into(),
        ..BalanceRow::default()
    };
    let sum = |account: &str, currency: &str| EntrySums {
        account: account.into(),
        currency: currency.into(),
        entries: 2,
        ..EntrySums::default()
    };
    let facts = books(
        vec![row("a", "CNY"), row("a", "EUR"), row("c", "CNY")],
        vec![sum("a", "CNY"), sum("b", "CNY"), sum("c", "CNY")],
    );
    let seen: Vec<_> = facts
        .iter()
        .map(|f| (fact_account(f), f.values[2].clone(), f.values[9].clone()))
        .collect();
    let wanted = [("a", 1, 2), ("a", 1, 0), ("b", 0, 2), ("c", 1, 2)];
    assert_eq!(
        seen,
        wanted.map(|(a, rows, entries)| (a, ColumnValue::Int(rows), ColumnValue::Int(entries)))
    );
}

#[test]
fn prints_that_agree_cancel_out() {
    let mut differ = ChecksumDiff::default();
    differ.add(vec![("a".into(), [7, 1, 0], 3), ("b".into(), [7, 0, 0], 1)]);
    differ.add(vec![("a".into(), [7, 1, 0], 3), ("c".into(), [0, 0, 9], 1)]);
    assert_eq!((differ.accounts(), differ.rows), (3, 8));
    assert_eq!(differ.suspects(), ["b", "c"]);
}
