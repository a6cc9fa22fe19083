//! Orders beside the sums of their entries.

use crate::audit::read::checksum_diff::{ACCOUNTS_PER_DETAIL_READ, ChecksumDiff};
use crate::audit::read::reading::{dec, text};
use crate::audit::read::{AuditReader, AuditReading};
use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::checksum_sql::MAX_DETAIL_ROWS;
use crate::audit::sql::orders_sql::{self, AuditOrderRow, OrderStepRow};
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

impl AuditReader {
    pub(super) async fn orders(
        &mut self,
        which: AccountFilter<'_>,
    ) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let mut differ = ChecksumDiff::default();
        differ.add(orders_sql::order_checksums(&mut self.orders, &schemas, which).await?);
        differ.add(orders_sql::step_checksums(self.ledger(), &schemas, which).await?);
        let mut reading = AuditReading {
            accounts: differ.accounts(),
            rows: differ.rows,
            ..AuditReading::default()
        };
        for some in differ.suspects().chunks(ACCOUNTS_PER_DETAIL_READ) {
            let which = AccountFilter::These(some);
            let rows = orders_sql::orders(&mut self.orders, &schemas, which).await?;
            let steps = orders_sql::steps(self.ledger(), &schemas, which).await?;
            reading.overflow |= rows.len().max(steps.len()) >= MAX_DETAIL_ROWS;
            reading.facts.extend(orders(rows, steps));
        }
        Ok(reading)
    }
}

/// Orders by account and id, beside the sums of their entries.
fn orders(rows: Vec<AuditOrderRow>, steps: Vec<OrderStepRow>) -> Vec<Arc<AuditFact>> {
    let mut said: BTreeMap<(String, String), (String, [Decimal; 4])> = BTreeMap::new();
    for (account, order, currency, reserved, finalized, released, returned) in steps {
        said.insert(
            (account, order),
            (currency, [reserved, finalized, released, returned]),
        );
    }
    let mut facts = Vec::with_capacity(rows.len());
    for (account, order, kind, state, currency, amount) in rows {
        let key = (account, order);
        let steps = said
            .remove(&key)
            .map(|(_, steps)| steps)
            .unwrap_or_default();
        facts.push(order_fact(key, [kind, state, currency], 1, amount, steps));
    }
    let orphans = said.into_iter();
    facts.extend(orphans.map(|(key, (currency, steps))| {
        order_fact(
            key,
            [String::new(), String::new(), currency],
            0,
            Decimal::ZERO,
            steps,
        )
    }));
    facts
}

fn order_fact(
    (account, order): (String, String),
    words: [String; 3],
    rows: i64,
    amount: Decimal,
    steps: [Decimal; 4],
) -> Arc<AuditFact> {
    let mut values = vec![text(account), text(order)];
    values.extend(words.map(text));
    values.extend([ColumnValue::Int(rows), dec(amount)]);
    values.extend(steps.map(dec));
    Arc::new(AuditFact {
        of: AuditSubject::Orders,
        values: values.into(),
    })
}
