//! Captured payments beside what orders took of them and what entries say.

use crate::audit::read::checksum_diff::{ACCOUNTS_PER_DETAIL_READ, ChecksumDiff};
use crate::audit::read::reading::{dec, text};
use crate::audit::read::{AuditReader, AuditReading};
use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::captures_sql::{self, PaymentRow};
use crate::audit::sql::checksum_sql::MAX_DETAIL_ROWS;
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

impl AuditReader {
    pub(super) async fn captures(
        &mut self,
        which: AccountFilter<'_>,
    ) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let mut differ = ChecksumDiff::default();
        differ.add(captures_sql::capture_checksums(self.balance(), &schemas, which).await?);
        differ.add(captures_sql::taken_checksums(&mut self.orders, &schemas, which).await?);
        differ.add(captures_sql::captured_checksums(self.ledger(), &schemas, which).await?);
        let mut reading = AuditReading {
            accounts: differ.accounts(),
            rows: differ.rows,
            ..AuditReading::default()
        };
        for some in differ.suspects().chunks(ACCOUNTS_PER_DETAIL_READ) {
            let which = AccountFilter::These(some);
            let rows = captures_sql::captures(self.balance(), &schemas, which).await?;
            let taken = captures_sql::taken_of(&mut self.orders, &schemas, which).await?;
            let booked = captures_sql::captured_of(self.ledger(), &schemas, which).await?;
            reading.overflow |= [&rows, &taken, &booked]
                .iter()
                .any(|all| all.len() >= MAX_DETAIL_ROWS);
            reading.facts.extend(payments(rows, taken, booked));
        }
        Ok(reading)
    }
}

/// Payments by account and number, from three sides.
fn payments(
    rows: Vec<PaymentRow>,
    taken: Vec<PaymentRow>,
    booked: Vec<PaymentRow>,
) -> Vec<Arc<AuditFact>> {
    type Sides = (String, i64, [Decimal; 6]);
    let mut all: BTreeMap<(String, String), Sides> = BTreeMap::new();
    for (side, rows) in [rows, booked, taken].into_iter().enumerate() {
        for (account, payment, currency, captured, refunded, settled) in rows {
            let (_, there, amounts) = all
                .entry((account, payment))
                .or_insert_with(|| (currency, 0, Default::default()));
            match side {
                0 => {
                    (*there, amounts[0], amounts[1], amounts[2]) = (1, captured, refunded, settled)
                }
                1 => amounts[3] = captured,
                _ => (amounts[4], amounts[5]) = (refunded, settled),
            }
        }
    }
    let fact = |((account, payment), (currency, rows, amounts)): ((String, String), Sides)| {
        let mut values = vec![
            text(account),
            text(payment),
            text(currency),
            ColumnValue::Int(rows),
        ];
        values.extend(amounts.map(dec));
        Arc::new(AuditFact {
            of: AuditSubject::Captures,
            values: values.into(),
        })
    };
    all.into_iter().map(fact).collect()
}
