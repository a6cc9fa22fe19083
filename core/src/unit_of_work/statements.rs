//! Statements of a unit of work, made into one text. Orders come before balances, as in
//! the lock order of `orders::repo`, and the signed outbox row comes last.

use crate::intents::repo as intents;
use crate::orders::{history, repo as orders};
use crate::unit_of_work::UnitOfWork;
use crate::{balance, cases, ledger, routing};
use sluice_contract::ids::new_tx_id;
use sluice_contract::provenance::{OrderSealKey, TransactionSigner};
use sluice_contract::schema::Schemas;

impl UnitOfWork<'_> {
    /// Makes the writes of the transaction, each statement with its `;`.
    ///
    /// # Errors
    /// An amount with more decimals than its column.
    pub(super) fn writes(
        &self,
        schemas: &Schemas,
        key: &TransactionSigner,
        now_us: i64,
    ) -> anyhow::Result<String> {
        // About 700 bytes an order, measured on accept transactions.
        let mut sql = String::with_capacity(
            1_024 + 1_024 * (self.new_orders.len() + self.moved_orders.len()),
        );
        let seals = OrderSealKey::derive(key.mac_key());
        self.push_orders(&mut sql, &seals, now_us)?;
        self.push_books(&mut sql, schemas, &seals, now_us)?;
        self.push_saga(&mut sql, key, now_us)?;
        if !self.totals.is_empty() {
            routing::limits::repo::push_totals(&mut sql, &self.totals, key.mac_key(), now_us);
        }
        self.push_outbox(&mut sql, key, now_us)?;
        Ok(sql)
    }

    fn push_orders(
        &self,
        sql: &mut String,
        seals: &OrderSealKey,
        now_us: i64,
    ) -> anyhow::Result<()> {
        if !self.keys.is_empty() {
            orders::push_keys(sql, &self.keys, now_us);
        }
        if !self.new_orders.is_empty() {
            orders::push_inserts(sql, &self.new_orders, seals)?;
        }
        if !self.moved_orders.is_empty() {
            orders::push_updates(sql, &self.moved_orders, seals);
        }
        if !self.new_attempts.is_empty() {
            orders::push_new_attempts(sql, &self.new_attempts);
        }
        if !self.attempts.is_empty() {
            orders::push_attempt_updates(sql, &self.attempts);
        }
        if !self.moves.is_empty() {
            history::repo::push_transitions(sql, &self.moves, now_us);
        }
        if !self.cases.is_empty() {
            cases::repo::push_cases(sql, &self.cases, now_us);
        }
        if !self.closings.is_empty() {
            cases::repo::push_closings(sql, &self.closings, now_us);
        }
        Ok(())
    }

    fn push_books(
        &self,
        sql: &mut String,
        schemas: &Schemas,
        seals: &OrderSealKey,
        now_us: i64,
    ) -> anyhow::Result<()> {
        if !self.balances.is_empty() {
            balance::repo::push_updates(sql, schemas, &self.balances, now_us);
        }
        if !self.captures.is_empty() {
            balance::repo::push_captures(sql, schemas, &self.captures, now_us);
        }
        if !self.postings.is_empty() {
            ledger::repo::push_inserts(sql, schemas, &self.postings, seals, now_us)?;
        }
        Ok(())
    }

    fn push_saga(
        &self,
        sql: &mut String,
        key: &TransactionSigner,
        now_us: i64,
    ) -> anyhow::Result<()> {
        if !self.intents.is_empty() {
            intents::push_intents(sql, &self.intents, key.mac_key())?;
        }
        if !self.closed.is_empty() {
            sql.push_str(&intents::delete_sql(&self.closed));
            sql.push(';');
        }
        if !self.freed_keys.is_empty() {
            orders::push_key_deletes(sql, &self.freed_keys);
        }
        intents::push_steps(
            sql,
            &self.steps,
            &self.replaced_steps,
            key.mac_key(),
            now_us,
        );
        Ok(())
    }

    fn push_outbox(
        &self,
        sql: &mut String,
        key: &TransactionSigner,
        now_us: i64,
    ) -> anyhow::Result<()> {
        let tx_id = new_tx_id();
        let events = serde_json::to_string(&self.events)?;
        let signed = key.sign(&self.effects()?, &tx_id, &events);
        let account = self.lead_account();
        orders::push_outbox(sql, account, &tx_id, &signed, &events, now_us);
        // A row without events is for the binlog alone: nobody would publish it.
        if self.drop_outbox_row || self.events.is_empty() {
            orders::push_outbox_delete(sql, account, &tx_id);
        }
        Ok(())
    }
}
