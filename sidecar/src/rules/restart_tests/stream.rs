//! Random streams for restarts, and odd rules that watch them.

use crate::rules::tests::{at, deposit, insert, money, payment, rule, text, transaction, update};
use crate::rules::text::files::RuleFiles;
use crate::stream::change::{RowChange, RuleInput, SourceKind};
use rand::Rng;
use rand::rngs::StdRng;
use std::path::Path;

/// Adds the rules of the documents.
pub fn with_documented(mut files: RuleFiles) -> RuleFiles {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules");
    let documented = RuleFiles::read(&dir).unwrap();
    let known = |id: &str| files.rules.iter().any(|rule| rule.id == id);
    let more: Vec<_> = documented
        .rules
        .into_iter()
        .filter(|rule| !known(&rule.id))
        .collect();
    files.rules.extend(more);
    for (name, text) in documented.lib {
        if !files.lib.iter().any(|(known, _)| *known == name) {
            files.lib.push((name, text));
        }
    }
    files
}

const PAIR: &str = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
    right = { table = \"entry\", op = \"insert\", key = \"ref\" }\n";
const WINDOW: &str =
    "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"account_id\"]\n";

/// Adds windows of all widths and pairs of all terms.
pub fn odd_rules(mut files: RuleFiles) -> RuleFiles {
    let all = "violation(row.after.account_id, `${earlier.count} ${earlier.sum} ${earlier.distinct} \
        ${earlier.seen(row.after.amount)} ${earlier.values}`, \"m\")";
    let window = |id: &str, more: &str, body: &str| {
        let text = rule(
            id,
            &format!("{WINDOW}{more}"),
            &format!("fn check(row, earlier) {{ {body} }}"),
        );
        (format!("{id}.rhai"), text)
    };
    let pair = |id: &str, more: &str| {
        let body = "fn check(l, r) { if l.amount != r.amount { violation(l.account_id, `${l.amount} ${r.amount} \
            ${r.posting_id}`, \"differs\") } }\nfn missing(one) { violation(one.account_id, \"gone\", \"missing\") }";
        (
            format!("{id}.rhai"),
            rule(id, &format!("{PAIR}{more}"), body),
        )
    };
    let odd = vec![
        window(
            "day",
            "span_ms = 86400000\nkeep = \"amount\"\nfirst = true",
            all,
        ),
        window("hour", "span_ms = 3600000\nkeep = \"amount\"", all),
        window("blink", "span_ms = 700\nkeep = \"amount\"", all),
        window(
            "sums",
            "span_ms = 900000\nkeep = \"amount\"",
            "violation(\"\", `${earlier.sum}`, \"m\")",
        ),
        window(
            "texts",
            "span_ms = 120000\nkeep = \"ref\"",
            "violation(\"\", `${earlier.distinct} ${earlier.seen(row.after.ref)}`, \"m\")",
        ),
        pair(
            "both",
            "within_ms = 2000\nkeep_ms = 9000\nrequire = \"both\"\nhold = true",
        ),
        pair(
            "late",
            "within_ms = 3000\nkeep_ms = 9000\ndelay_ms = 1500\nrequire = \"left\"\nhold = true",
        ),
        pair(
            "client",
            "within_ms = 2000\nkeep_ms = 9000\nper = \"client\"\nrequire = \"right\"",
        ),
    ];
    files.rules.extend(RuleFiles::of(odd).rules);
    files
}

/// A row of the books, mostly of one busy account.
fn a_row(dice: &mut StdRng, number: usize) -> RowChange {
    let account = match dice.random_range(0..10) {
        0..6 => "A-0".to_owned(),
        n => format!("A-{n}"),
    };
    let payment = format!("P-{}", dice.random_range(0..=number / 4));
    let amount = format!("{}.50", dice.random_range(1..40));
    let row = deposit(&account, &payment, &amount);
    match dice.random_range(0..8) {
        0 => insert(
            "orders",
            &[
                ("account_id", text(&account)),
                ("order_id", text(&payment)),
                ("biz_no", text(&payment)),
                ("client", text("c-1")),
                ("kind", text("cash_out")),
                ("amount", money(&amount)),
                ("currency", text("CNY")),
            ],
        ),
        1 => crate::rules::tests::balance(&account, &amount, &amount),
        2 => update(deposit(&account, &payment, "1"), row),
        _ => row,
    }
}

/// Transactions, some of them twice, events, some of them late, and clocks that jump, stop
/// and lag behind each other.
pub fn random_inputs(dice: &mut StdRng, count: usize) -> Vec<RuleInput> {
    let (mut clocks, mut inputs) = ([1_000_000_i64; 2], Vec::new());
    for number in 1..=count {
        match dice.random_range(0..10) {
            0..5 => {
                let rows = dice.random_range(1..4);
                let rows = (0..rows).map(|_| a_row(dice, number)).collect();
                let one = transaction(&format!("0-1-{number}"), rows);
                if dice.random_range(0..20) == 0 {
                    inputs.push(one.clone());
                }
                inputs.push(one);
            }
            5..7 => {
                let id = dice.random_range(1..=number);
                let account = format!("A-{}", dice.random_range(0..4));
                let amount = format!("{}.50", dice.random_range(1..40));
                inputs.push(payment(
                    &format!("e{id}"),
                    u32::try_from(number).unwrap(),
                    &account,
                    &format!("P-{}", dice.random_range(0..=number / 4)),
                    &amount,
                ));
            }
            _ => {
                let source = usize::from(dice.random_bool(0.5));
                clocks[source] += match dice.random_range(0..30) {
                    0 => 60_000,
                    1 => 3_000,
                    _ => 300,
                };
                let ahead = clocks[1 - source] - clocks[source];
                if ahead > 5_000 && dice.random_bool(0.3) {
                    clocks[source] = clocks[1 - source];
                }
                let kind = [SourceKind::Binlog, SourceKind::Kafka][source];
                inputs.push(at(kind, clocks[source]));
            }
        }
    }
    inputs
}
