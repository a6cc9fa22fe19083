//! Postings whose debits and credits differ.

use crate::audit::read::reading::{dec, text};
use crate::audit::read::{AuditReader, AuditReading};
use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::postings_sql::{self, AuditPostingRow};
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};
use std::sync::Arc;

impl AuditReader {
    pub(super) async fn postings(
        &mut self,
        which: AccountFilter<'_>,
    ) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let found = postings_sql::unbalanced(self.ledger(), &schemas, which).await?;
        let overflow = found.len() >= postings_sql::MAX_POSTINGS;
        let rows = if found.is_empty() {
            Vec::new()
        } else {
            postings_sql::postings(self.ledger(), &schemas, &found).await?
        };
        let fact = |(account, posting, currency, lines, debits, credits): AuditPostingRow| {
            let values = [
                text(account),
                text(posting),
                text(currency),
                ColumnValue::Int(lines),
                dec(debits),
                dec(credits),
            ];
            Arc::new(AuditFact {
                of: AuditSubject::Postings,
                values: Box::new(values),
            })
        };
        let rows: Vec<_> = rows.into_iter().map(fact).collect();
        Ok(AuditReading {
            rows: rows.len() as u64,
            facts: rows,
            overflow,
            ..AuditReading::default()
        })
    }
}
