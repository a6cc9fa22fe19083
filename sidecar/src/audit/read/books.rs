//! Balances beside the sums of their entries.

use crate::audit::read::reading::{dec, text};
use crate::audit::read::{AuditReader, AuditReading};
use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::books_sql::{self, BalanceRow, EntrySums};
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};
use std::cmp::Ordering;
use std::sync::Arc;

impl AuditReader {
    pub(super) async fn books(&mut self, which: AccountFilter<'_>) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let mut sums = books_sql::entry_sums(self.ledger(), &schemas, which).await?;
        let mut to = None;
        if sums.len() >= books_sql::MAX_GROUPS
            && let Some(last) = sums.pop()
        {
            sums.retain(|s| s.account != last.account);
            to = sums.last().map(|s| s.account.clone());
        }
        let which = match (which, &to) {
            (AccountFilter::Range(after, _), Some(to)) => AccountFilter::Range(after, Some(to)),
            (which, _) => which,
        };
        let balances = books_sql::balances(self.balance(), &schemas, which).await?;
        let entries: i64 = sums.iter().map(|s| s.entries).sum();
        let rows = balances.len() as u64 + u64::try_from(entries).unwrap_or(0);
        let facts = books(balances, sums);
        Ok(AuditReading {
            accounts: facts.len() as u64,
            facts,
            to,
            rows,
            ..AuditReading::default()
        })
    }
}

/// Balances beside their entries; both come in the order of their keys.
pub(super) fn books(balances: Vec<BalanceRow>, sums: Vec<EntrySums>) -> Vec<Arc<AuditFact>> {
    let mut facts = Vec::with_capacity(balances.len().max(sums.len()));
    let (mut balances, mut sums) = (balances.into_iter().peekable(), sums.into_iter().peekable());
    loop {
        let order = match (balances.peek(), sums.peek()) {
            (None, None) => return facts,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(b), Some(s)) => (&b.account, &b.currency).cmp(&(&s.account, &s.currency)),
        };
        let row = if order.is_le() { balances.next() } else { None };
        let said = if order.is_ge() { sums.next() } else { None };
        facts.push(book(row, said));
    }
}

fn book(row: Option<BalanceRow>, said: Option<EntrySums>) -> Arc<AuditFact> {
    let rows = i64::from(row.is_some());
    let said = said.unwrap_or_default();
    let row = row.unwrap_or_else(|| BalanceRow {
        account: said.account.clone(),
        currency: said.currency.clone(),
        ..BalanceRow::default()
    });
    let mut values = vec![
        text(row.account),
        text(row.currency),
        ColumnValue::Int(rows),
    ];
    values.extend(row.amounts.map(dec));
    values.extend([
        ColumnValue::Int(row.version),
        ColumnValue::Int(said.entries),
    ]);
    values.extend(said.amounts.map(dec));
    Arc::new(AuditFact {
        of: AuditSubject::Books,
        values: values.into(),
    })
}
