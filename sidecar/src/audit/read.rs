//! Reads data at rest, each time in one consistent snapshot.
//!
//! On one server everything is as of one commit. With balance or ledger on servers of
//! their own there are two or three snapshots a moment apart: what differs then may
//! only have been under way, and is looked at again (see `confirm`).

use crate::audit::sql::{self, AccountChecksums, AccountFilter, BalanceRow, EntrySums, PaymentRow};
use crate::binlog::preflight;
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};
use crate::stream::gtid::{Flavour, GtidSet};
use anyhow::Context;
use mysql_async::{Conn, Pool};
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Accounts that are read row by row with one statement.
const ACCOUNTS_PER_DETAIL_READ: usize = 50;

/// Where the schemas are. `None`: on the server of the orders.
pub struct AuditServers {
    pub schemas: Schemas,
    pub flavour: Flavour,
    pub orders: Pool,
    pub balance: Option<Pool>,
    pub ledger: Option<Pool>,
}

/// A connection to each of them.
pub struct AuditReader {
    pub schemas: Schemas,
    flavour: Flavour,
    orders: Conn,
    balance: Option<Conn>,
    ledger: Option<Conn>,
}

/// What one snapshot showed.
#[derive(Debug, Default)]
pub struct AuditReading {
    pub facts: Vec<Arc<AuditFact>>,
    /// The last account of a chunk; `None`: there are no more.
    pub to: Option<String>,
    pub accounts: u64,
    /// Rows that the servers looked at, as far as they are counted.
    pub rows: u64,
    /// There was more than one reading may bring.
    pub overflow: bool,
}

impl AuditServers {
    pub fn has_split_books(&self) -> bool {
        self.balance.is_some() || self.ledger.is_some()
    }

    pub async fn reader(&self) -> mysql_async::Result<AuditReader> {
        Ok(AuditReader {
            schemas: self.schemas.clone(),
            flavour: self.flavour,
            orders: self.orders.get_conn().await?,
            balance: conn_of(self.balance.as_ref()).await?,
            ledger: conn_of(self.ledger.as_ref()).await?,
        })
    }
}

async fn conn_of(pool: Option<&Pool>) -> mysql_async::Result<Option<Conn>> {
    match pool {
        Some(pool) => pool.get_conn().await.map(Some),
        None => Ok(None),
    }
}

impl AuditReader {
    /// The next chunk: some `most` balances after the account `after`, and whatever
    /// else there is of accounts up to there.
    pub async fn chunk(
        &mut self,
        of: AuditSubject,
        after: &str,
        most: u32,
    ) -> anyhow::Result<AuditReading> {
        self.begin().await?;
        let schemas = self.schemas.clone();
        let to = sql::chunk_end(self.balance(), &schemas, after, most).await?;
        let which = AccountFilter::Range(after, to.as_deref());
        let mut reading = self.read(of, which).await?;
        self.end().await?;
        // A reading that was cut says up to where it is whole.
        reading.to = reading.to.or(to);
        Ok(reading)
    }

    /// These accounts as they are now.
    pub async fn these(
        &mut self,
        of: AuditSubject,
        accounts: &[String],
    ) -> anyhow::Result<AuditReading> {
        self.begin().await?;
        let reading = self.read(of, AccountFilter::These(accounts)).await?;
        self.end().await?;
        Ok(reading)
    }

    /// Versions of all balances of these accounts, and which of them have a booking
    /// under way. Not in a snapshot.
    pub async fn movement(&mut self, accounts: &[String]) -> anyhow::Result<AccountMovement> {
        let schemas = self.schemas.clone();
        let open = sql::open_sagas(&mut self.orders, &schemas, accounts).await?;
        let rows = sql::balances(self.balance(), &schemas, AccountFilter::These(accounts)).await?;
        let versions = rows
            .into_iter()
            .map(|row| ((row.account, row.currency), row.version))
            .collect();
        Ok(AccountMovement { open, versions })
    }

    fn balance(&mut self) -> &mut Conn {
        self.balance.as_mut().unwrap_or(&mut self.orders)
    }

    fn ledger(&mut self) -> &mut Conn {
        self.ledger.as_mut().unwrap_or(&mut self.orders)
    }

    /// A position of the binlog that every later snapshot is at or after.
    pub async fn position(&mut self) -> anyhow::Result<String> {
        match self.flavour {
            // Executed is what is committed in the engine.
            Flavour::MySql => preflight::position(&mut self.orders, self.flavour).await,
            // A feed has no position of the server's: the time tells one run from another.
            Flavour::Feed => Ok(format!("audit/{}", now_us())),
            // Not gtid_binlog_pos: that is moved on before the engine has committed, and
            // a snapshot right after it may still miss the last transaction.
            Flavour::MariaDb => {
                self.begin().await?;
                let place = sql::snapshot_binlog_position(&mut self.orders).await?;
                self.end().await?;
                let (file, at) = place
                    .context("the server does not tell where its snapshot is in the binlog")?;
                let position = sql::gtid_of(&mut self.orders, &file, at).await?;
                let position =
                    position.with_context(|| format!("the server knows no GTID at {file}:{at}"))?;
                Ok(GtidSet::parse(self.flavour, &position)?.render())
            }
        }
    }

    async fn begin(&mut self) -> anyhow::Result<()> {
        for conn in [
            Some(&mut self.orders),
            self.balance.as_mut(),
            self.ledger.as_mut(),
        ]
        .into_iter()
        .flatten()
        {
            sql::begin(conn).await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> anyhow::Result<()> {
        for conn in [
            Some(&mut self.orders),
            self.balance.as_mut(),
            self.ledger.as_mut(),
        ]
        .into_iter()
        .flatten()
        {
            sql::end(conn).await?;
        }
        Ok(())
    }

    async fn read(
        &mut self,
        of: AuditSubject,
        which: AccountFilter<'_>,
    ) -> anyhow::Result<AuditReading> {
        match of {
            AuditSubject::Books => self.books(which).await,
            AuditSubject::Postings => self.postings(which).await,
            AuditSubject::Captures => self.captures(which).await,
            AuditSubject::Orders => self.orders(which).await,
        }
    }

    async fn books(&mut self, which: AccountFilter<'_>) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let mut sums = sql::entry_sums(self.ledger(), &schemas, which).await?;
        let mut to = None;
        if sums.len() >= sql::MAX_GROUPS
            && let Some(last) = sums.pop()
        {
            sums.retain(|s| s.account != last.account);
            to = sums.last().map(|s| s.account.clone());
        }
        let which = match (which, &to) {
            (AccountFilter::Range(after, _), Some(to)) => AccountFilter::Range(after, Some(to)),
            (which, _) => which,
        };
        let balances = sql::balances(self.balance(), &schemas, which).await?;
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

    async fn postings(&mut self, which: AccountFilter<'_>) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let found = sql::unbalanced(self.ledger(), &schemas, which).await?;
        let overflow = found.len() >= sql::MAX_POSTINGS;
        let rows = if found.is_empty() {
            Vec::new()
        } else {
            sql::postings(self.ledger(), &schemas, &found).await?
        };
        let fact = |(account, posting, currency, lines, debits, credits): sql::AuditPostingRow| {
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

    async fn captures(&mut self, which: AccountFilter<'_>) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let mut differ = ChecksumDiff::default();
        differ.add(sql::capture_prints(self.balance(), &schemas, which).await?);
        differ.add(sql::taken_prints(&mut self.orders, &schemas, which).await?);
        differ.add(sql::captured_prints(self.ledger(), &schemas, which).await?);
        let mut reading = AuditReading {
            accounts: differ.accounts(),
            rows: differ.rows,
            ..AuditReading::default()
        };
        for some in differ.suspects().chunks(ACCOUNTS_PER_DETAIL_READ) {
            let which = AccountFilter::These(some);
            let rows = sql::captures(self.balance(), &schemas, which).await?;
            let taken = sql::taken_of(&mut self.orders, &schemas, which).await?;
            let booked = sql::captured_of(self.ledger(), &schemas, which).await?;
            reading.overflow |= [&rows, &taken, &booked]
                .iter()
                .any(|all| all.len() >= sql::MAX_DETAIL_ROWS);
            reading.facts.extend(payments(rows, taken, booked));
        }
        Ok(reading)
    }

    async fn orders(&mut self, which: AccountFilter<'_>) -> anyhow::Result<AuditReading> {
        let schemas = self.schemas.clone();
        let mut differ = ChecksumDiff::default();
        differ.add(sql::order_prints(&mut self.orders, &schemas, which).await?);
        differ.add(sql::step_prints(self.ledger(), &schemas, which).await?);
        let mut reading = AuditReading {
            accounts: differ.accounts(),
            rows: differ.rows,
            ..AuditReading::default()
        };
        for some in differ.suspects().chunks(ACCOUNTS_PER_DETAIL_READ) {
            let which = AccountFilter::These(some);
            let rows = sql::orders(&mut self.orders, &schemas, which).await?;
            let steps = sql::steps(self.ledger(), &schemas, which).await?;
            reading.overflow |= rows.len().max(steps.len()) >= sql::MAX_DETAIL_ROWS;
            reading.facts.extend(orders(rows, steps));
        }
        Ok(reading)
    }
}

/// What moved, or may be about to.
#[derive(Debug, PartialEq, Eq)]
pub struct AccountMovement {
    open: Vec<String>,
    versions: BTreeMap<(String, String), i64>,
}

impl AccountMovement {
    /// Whether nothing of this account was under way between the two looks.
    pub fn still(&self, later: &AccountMovement, account: &str) -> bool {
        let open = |m: &AccountMovement| m.open.iter().any(|a| a == account);
        let of = |m: &AccountMovement| -> Vec<(String, i64)> {
            let from = (account.to_owned(), String::new());
            let own = m
                .versions
                .range(from..)
                .take_while(|((a, _), _)| a == account);
            own.map(|((_, currency), version)| (currency.clone(), *version))
                .collect()
        };
        !open(self) && !open(later) && of(self) == of(later)
    }
}

/// Per account the exclusive or of what must be equal on both sides: zero if it is.
#[derive(Default)]
struct ChecksumDiff {
    of: BTreeMap<String, [u64; 3]>,
    rows: u64,
}

impl ChecksumDiff {
    fn add(&mut self, side: Vec<AccountChecksums>) {
        for (account, prints, rows) in side {
            self.rows += rows;
            let all = self.of.entry(account).or_default();
            all.iter_mut()
                .zip(prints)
                .for_each(|(one, other)| *one ^= other);
        }
    }

    fn accounts(&self) -> u64 {
        self.of.len() as u64
    }

    fn suspects(self) -> Vec<String> {
        self.of
            .into_iter()
            .filter(|(_, all)| *all != [0; 3])
            .map(|(account, _)| account)
            .collect()
    }
}

fn text(text: String) -> ColumnValue {
    ColumnValue::Text(text.into())
}

fn dec(amount: Decimal) -> ColumnValue {
    ColumnValue::Dec(amount)
}

/// Balances beside their entries; both come in the order of their keys.
fn books(balances: Vec<BalanceRow>, sums: Vec<EntrySums>) -> Vec<Arc<AuditFact>> {
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

/// Orders by account and id, beside the sums of their entries.
fn orders(rows: Vec<sql::AuditOrderRow>, steps: Vec<sql::OrderStepRow>) -> Vec<Arc<AuditFact>> {
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

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
