//! The judge of changes that no program made: of the guard's own rows, and of rows that
//! are taken away. Rules are not asked: no file can weaken it.
//!
//! Before the mark (`guard_rows::mark`) nothing is judged: programs of before the signature
//! write such rows too.

use crate::guard_rows::GuardRows;
use crate::guard_rows::mark::MARK_NAME;
use crate::rules::transaction::provenance::{self, Provenance};
use crate::stream::change::{ChangeOp, ChangeTransaction, ColumnValue, RowChange, RowImage};
use rust_decimal::Decimal;
use sluice_contract::money::column_units;
use sluice_contract::provenance::{
    DeletedNames, EffectField, MAC_COLUMN, SignedGuardTable, TransactionSignatureError,
    TransactionSignatures, signed_deletions, signed_guard_table,
};
use std::collections::BTreeMap;

/// Rows that the procedures of retention delete are older than this, in µs: 30 days by the
/// server's clock, of which one day may be skew.
const MIN_RETAINED_US: i64 = 29 * 86_400_000_000;

/// A table that was changed by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardBreach {
    pub table: String,
    /// The deed, and the first row of it.
    pub what: String,
    pub count: usize,
}

impl GuardBreach {
    /// The mark of signed rows is not as a sidecar left it; `what` is wrong with it.
    pub fn of_mark(what: &str) -> Self {
        GuardBreach {
            table: "guard_seal".to_owned(),
            what: format!(
                "the mark from which on rows are signed: {what}; every row must be signed: look at the guard's rows, then \
                 `sluice guard seal`"
            ),
            count: 1,
        }
    }
}

/// Judge of one stream.
pub struct GuardJudge {
    rows: GuardRows,
    /// Whether the stream is behind the mark.
    is_behind_mark: bool,
}

/// Deletions of one transaction that the core must have signed: table and key.
type Deletion<'a> = (&'a str, Vec<&'a str>);

impl GuardJudge {
    pub fn new(rows: GuardRows, is_behind_mark: bool) -> Self {
        GuardJudge {
            rows,
            is_behind_mark,
        }
    }

    /// Judges a transaction; `now_us` is the host's clock.
    pub fn judge(&mut self, transaction: &ChangeTransaction, now_us: i64) -> Vec<GuardBreach> {
        let is_acceptance = self.passes_mark(transaction);
        if !self.is_behind_mark {
            return Vec::new();
        }
        let mut breaches: BTreeMap<&str, GuardBreach> = BTreeMap::new();
        let mut deletions: Vec<Deletion<'_>> = Vec::new();
        for change in &transaction.changes {
            let table = change.table.name.as_str();
            let why = if let Some(signed) = signed_guard_table(table) {
                self.signed_row(transaction, change, signed, is_acceptance, now_us)
            } else {
                taken_away(change)
            };
            match why {
                RowJudgement::Fine => {}
                RowJudgement::Breach(what) => note(&mut breaches, table, what),
                RowJudgement::IfSigned(key) => deletions.push((table, key)),
            }
        }
        self.unsigned_deletions(transaction, &deletions, &mut breaches);
        breaches.into_values().collect()
    }

    /// Notes that the mark passed: whether this transaction sets it.
    fn passes_mark(&mut self, transaction: &ChangeTransaction) -> bool {
        let sets = |change: &RowChange| {
            change.table.name == "guard_seal"
                && text(change, change.after.as_ref(), "name") == Some(MARK_NAME)
                && signed_guard_table("guard_seal").is_some_and(|t| self.is_signed(change, t))
        };
        let passes = transaction.changes.iter().any(|change| sets(change));
        self.is_behind_mark |= passes;
        passes
    }

    fn is_signed(&self, change: &RowChange, table: &SignedGuardTable) -> bool {
        let Some(image) = &change.after else {
            return false;
        };
        let value = |column: &&str| {
            let value = change.table.column(column).and_then(|at| image.get(at));
            match value {
                Some(ColumnValue::Text(amount)) if is_amount(column) => amount_of(amount),
                other => field(other),
            }
        };
        let fields: Option<Vec<EffectField<'_>>> = table.columns.iter().map(value).collect();
        let mac = text(change, change.after.as_ref(), MAC_COLUMN);
        fields.is_some_and(|fields| self.rows.is_signed(table.name, &fields, mac))
    }

    fn signed_row<'a>(
        &self,
        transaction: &ChangeTransaction,
        change: &'a RowChange,
        table: &SignedGuardTable,
        is_acceptance: bool,
        now_us: i64,
    ) -> RowJudgement<'a> {
        // The core's own leases let nobody past the guard.
        if table.name == "lease" && !names(change, "name", "sidecar") {
            return RowJudgement::Fine;
        }
        // The claim that counts there checks it; a binlog's reader passes these rows over.
        if table.name == "limit_total" && change.after.is_some() {
            return RowJudgement::Fine;
        }
        if change.after.is_none() {
            return self.deleted_guard_row(transaction, change, now_us);
        }
        if !self.is_signed(change, table) {
            return breach("a row that no program wrote", change);
        }
        if let Some(what) = undone(change) {
            return breach(what, change);
        }
        let version = |image| int(change, image, table.version);
        match (
            version(change.before.as_ref()),
            version(change.after.as_ref()),
        ) {
            (Some(before), Some(after)) if after < before => {
                breach("an earlier row was put back", change)
            }
            (Some(before), Some(after)) if table.raises && after == before && !is_acceptance => {
                breach("a row was put back", change)
            }
            _ => RowJudgement::Fine,
        }
    }

    fn deleted_guard_row<'a>(
        &self,
        transaction: &ChangeTransaction,
        change: &'a RowChange,
        now_us: i64,
    ) -> RowJudgement<'a> {
        let before = change.before.as_ref();
        let is_old = |column| {
            int(change, before, column)
                .is_some_and(|at| at < now_us.saturating_sub(MIN_RETAINED_US))
        };
        let is_fine = match change.table.name.as_str() {
            // Who raises it again writes it anew.
            "fence_token" => true,
            "suppression" => is_old("expires_us"),
            "breaker_transition" => is_old("changed_us"),
            "rule_member" => {
                let version = int(change, before, "version");
                transaction.changes.iter().any(|other| {
                    let newer = int(other, other.after.as_ref(), "version") > version;
                    let is_set = other.table.name == "rule_set" && newer;
                    is_set
                        && signed_guard_table("rule_set").is_some_and(|t| self.is_signed(other, t))
                })
            }
            "limit_total" => {
                let key = ["period", "scope", "scope_key", "currency"];
                return RowJudgement::IfSigned(key_of(change, &key));
            }
            _ => false,
        };
        match is_fine {
            true => RowJudgement::Fine,
            false => breach("a row was deleted", change),
        }
    }

    /// Adds what was deleted without the core's word.
    fn unsigned_deletions<'a>(
        &self,
        transaction: &'a ChangeTransaction,
        deletions: &[Deletion<'a>],
        breaches: &mut BTreeMap<&'a str, GuardBreach>,
    ) {
        if deletions.is_empty() {
            return;
        }
        // Nobody wants its events: it goes in the transaction that wrote it.
        let written: Vec<&str> = transaction
            .changes
            .iter()
            .filter(|change| change.table.name == "outbox" && change.op == ChangeOp::Insert)
            .filter_map(|change| text(change, change.after.as_ref(), "tx_id"))
            .collect();
        let is_own = |table: &str, key: &[&str]| {
            table == "outbox" && key.last().is_some_and(|tx_id| written.contains(tx_id))
        };
        let (mut named, mut unbelieved): (Vec<DeletedNames<'_>>, _) = (Vec::new(), None);
        for change in &transaction.changes {
            match self.names_deleted(change) {
                Ok(names) => named.extend(names),
                Err(error) => unbelieved = Some(error),
            }
        }
        // Its signature covers a row that it moved, which nobody can do again: an order that
        // was refused frees its key, a booking that is done its intent.
        let is_cores = !written.is_empty()
            && deletions.iter().any(|(table, _)| is_freed(table))
            && provenance::of(transaction, self.rows.transactions()) == Provenance::Valid;
        let moves = transaction.changes.iter().any(|c| is_moved(c));
        for (table, key) in deletions {
            let freed = is_cores && is_freed(table) && (moves || *table == "booking_intent");
            if !freed && !is_own(table, key) && !named.iter().any(|names| names.contain(table, key))
            {
                let why = unbelieved.as_ref().map_or_else(String::new, |error| {
                    format!("; the signature of the deletions {error}")
                });
                let what =
                    format!("a row was deleted that the core did not take away: {key:?}{why}");
                note(breaches, table, what);
            }
        }
    }

    /// Rows that an outbox row says are deleted; an error: why it is not believed.
    fn names_deleted<'a>(
        &self,
        change: &'a RowChange,
    ) -> Result<Option<DeletedNames<'a>>, TransactionSignatureError> {
        if change.table.name != "outbox" || change.op != ChangeOp::Insert {
            return Ok(None);
        }
        let text = |column| text(change, change.after.as_ref(), column);
        let (Some(tx_id), Some(events), Some(signature)) =
            (text("tx_id"), text("events"), text("signature"))
        else {
            return Ok(None);
        };
        let signatures = TransactionSignatures {
            signature: signature.as_bytes(),
            proof: text("proof").unwrap_or_default().as_bytes(),
        };
        signed_deletions(self.rows.transactions(), tx_id, events, signatures)
    }
}

/// Judgement of one row.
enum RowJudgement<'a> {
    Fine,
    Breach(String),
    /// Fine if the core signed that it goes; the values of its key.
    IfSigned(Vec<&'a str>),
}

/// Judges a change of a table that is not the guard's: whether a row was taken away.
fn taken_away(change: &RowChange) -> RowJudgement<'_> {
    let key: &[&str] = match change.table.name.as_str() {
        "outbox" => &["account_id", "tx_id"],
        "idempotency" => &["client", "idempotency_key"],
        "booking_intent" => &["account_id", "posting_id"],
        "cases" => &["account_id", "order_id", "kind", "detail"],
        "orders" | "attempt" | "balance" | "capture" | "entry" => &[],
        _ => return RowJudgement::Fine,
    };
    match (change.op, change.table.name.as_str()) {
        (ChangeOp::Delete, _) if key.is_empty() => breach("a row was deleted", change),
        (ChangeOp::Delete, _) => RowJudgement::IfSigned(key_of(change, key)),
        // A key that is used up is never changed.
        (ChangeOp::Update, "idempotency") => breach("a used key was changed", change),
        (ChangeOp::Insert | ChangeOp::Update, _) => RowJudgement::Fine,
    }
}

/// A deed that the versions of a genuine row don't show, if it is one.
fn undone(change: &RowChange) -> Option<&'static str> {
    let (before, after) = (change.before.as_ref()?, change.after.as_ref());
    match change.table.name.as_str() {
        // The row of before the revocation has its signature still.
        "suppression" => {
            let revoked_us = |image| int(change, image, "revoked_us");
            (revoked_us(Some(before)).is_some() && revoked_us(after).is_none())
                .then_some("a revoked suppression was put back")
        }
        // Each commit writes it anew: what is left is the server's time, which nobody signs.
        "checkpoint" => {
            let mac = |image| text(change, image, MAC_COLUMN);
            (mac(Some(before)) == mac(after)).then_some("the time of a checkpoint was changed")
        }
        _ => None,
    }
}

/// Whether the core deletes such rows within what it signs as a whole.
fn is_freed(table: &str) -> bool {
    matches!(table, "idempotency" | "booking_intent")
}

fn is_moved(change: &RowChange) -> bool {
    let tables = ["orders", "balance", "entry", "capture", "attempt"];
    change.op != ChangeOp::Delete && tables.contains(&change.table.name.as_str())
}

fn note<'a>(breaches: &mut BTreeMap<&'a str, GuardBreach>, table: &'a str, what: String) {
    let first = || GuardBreach {
        table: table.to_owned(),
        what,
        count: 0,
    };
    breaches.entry(table).or_insert_with(first).count += 1;
}

/// A breach, with the row as it is or was, short.
fn breach<'a>(what: &str, change: &RowChange) -> RowJudgement<'a> {
    const MAX_SHOWN: usize = 4;
    let image = change.after.as_ref().or(change.before.as_ref());
    let shown: Vec<String> = image
        .into_iter()
        .flat_map(|image| change.table.columns.iter().zip(image))
        .take(MAX_SHOWN)
        .map(|(column, value)| match value {
            ColumnValue::Text(text) => format!("{column}={text}"),
            ColumnValue::Int(number) => format!("{column}={number}"),
            ColumnValue::Dec(number) => format!("{column}={number}"),
            ColumnValue::Null | ColumnValue::Opaque => format!("{column}=?"),
        })
        .collect();
    RowJudgement::Breach(format!("{what} ({})", shown.join(", ")))
}

/// Whether a column has money in it: a feed tells it as a text.
fn is_amount(column: &str) -> bool {
    column.starts_with("amount")
}

fn amount_of(text: &str) -> Option<EffectField<'_>> {
    let amount = Decimal::from_str_exact(text).ok()?;
    Some(EffectField::Int(column_units(amount)?))
}

/// A value as it is signed; none if no program writes it.
fn field(value: Option<&ColumnValue>) -> Option<EffectField<'_>> {
    Some(match value? {
        ColumnValue::Null => EffectField::Text(b""),
        ColumnValue::Text(text) => EffectField::Text(text.as_bytes()),
        ColumnValue::Int(number) => EffectField::Int(i128::from(*number)),
        ColumnValue::Dec(amount) => EffectField::Int(column_units(*amount)?),
        ColumnValue::Opaque => return None,
    })
}

fn value<'a>(
    change: &RowChange,
    image: Option<&'a RowImage>,
    column: &str,
) -> Option<&'a ColumnValue> {
    image?.get(change.table.column(column)?)
}

fn text<'a>(change: &RowChange, image: Option<&'a RowImage>, column: &str) -> Option<&'a str> {
    match value(change, image, column)? {
        ColumnValue::Text(text) => Some(text),
        _ => None,
    }
}

fn int(change: &RowChange, image: Option<&RowImage>, column: &str) -> Option<i64> {
    match value(change, image, column)? {
        ColumnValue::Int(number) => Some(*number),
        _ => None,
    }
}

/// Whether a row has, or had, this text.
fn names(change: &RowChange, column: &str, wanted: &str) -> bool {
    [change.before.as_ref(), change.after.as_ref()]
        .into_iter()
        .any(|image| text(change, image, column) == Some(wanted))
}

fn key_of<'a>(change: &'a RowChange, columns: &[&str]) -> Vec<&'a str> {
    let part = |column: &&str| text(change, change.before.as_ref(), column).unwrap_or_default();
    columns.iter().map(part).collect()
}

#[cfg(test)]
#[path = "guard_changes_tests.rs"]
mod tests;
