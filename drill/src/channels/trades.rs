//! Trades by serial number and trade date, the book, and the file behind both.
//! A trade is written to the file before anybody can learn of it.

use super::book::{Book, trade_date};
use super::kind::{Kind, Stage};
use ahash::AHashMap;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sluice_contract::clock::now_us;
use sluice_contract::wire::ChannelPay;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(super) struct Trade {
    pub pay: Arc<ChannelPay>,
    pub stage: Stage,
    /// Position in the book, once paid.
    line: Option<usize>,
}

/// A line of the file: a trade entered a stage.
#[derive(Serialize, Deserialize)]
struct Record<P> {
    channel: Kind,
    stage: Stage,
    at_us: i64,
    pay: P,
}

#[derive(Debug, Default)]
pub(super) struct Trades {
    known: [AHashMap<String, Trade>; Kind::COUNT],
    pub book: Book,
    file: Option<File>,
}

/// The channel's idempotency key (seed 002 §3.2: one institution, one day).
pub(super) fn key(serial_no: &str, trade_time: &str) -> String {
    format!("{serial_no}|{}", trade_date(trade_time))
}

impl Trades {
    /// Reads back what an earlier run wrote to `path`, then appends to it.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let mut trades = Trades::default();
        if let Some(path) = path {
            let file = trades
                .replay(path)
                .with_context(|| format!("book_file {}", path.display()))?;
            trades.file = Some(file);
        }
        Ok(trades)
    }

    fn replay(&mut self, path: &Path) -> anyhow::Result<File> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .context("can't open it")?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A kill may have torn the last line; nobody learnt of that trade.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
        }
        for (number, line) in text[..whole].lines().enumerate() {
            let record: Record<ChannelPay> = serde_json::from_str(line).with_context(|| {
                format!(
                    "line {} is not a trade: move the file away to start anew",
                    number + 1
                )
            })?;
            let key = key(&record.pay.serial_no, &record.pay.trade_time);
            if self.get(record.channel, &key).is_some() {
                self.apply(record.channel, &key, record.stage, record.at_us);
            } else {
                self.insert(
                    record.channel,
                    key,
                    Arc::new(record.pay),
                    record.stage,
                    record.at_us,
                );
            }
        }
        Ok(file)
    }

    pub fn get(&self, kind: Kind, key: &str) -> Option<&Trade> {
        self.known[kind.index()].get(key)
    }

    /// Trades that are still to be settled.
    pub fn in_process(&self, kind: Kind) -> Vec<String> {
        let open = self.known[kind.index()]
            .iter()
            .filter(|(_, trade)| trade.stage == Stage::InProcess);
        open.map(|(key, _)| key.clone()).collect()
    }

    /// Records a trade that isn't known yet.
    pub fn enter(
        &mut self,
        kind: Kind,
        key: String,
        pay: Arc<ChannelPay>,
        stage: Stage,
    ) -> anyhow::Result<()> {
        let at_us = now_us();
        self.write(&Record {
            channel: kind,
            stage,
            at_us,
            pay: &*pay,
        })?;
        self.insert(kind, key, pay, stage, at_us);
        Ok(())
    }

    /// Moves a trade on. A move that isn't possible any more is an error.
    pub fn settle(
        &mut self,
        kind: Kind,
        key: &str,
        stage: Stage,
    ) -> anyhow::Result<Arc<ChannelPay>> {
        let Some(trade) = self.get(kind, key) else {
            bail!("trade {key} is not known")
        };
        match (trade.stage, stage) {
            (Stage::InProcess, Stage::Paid | Stage::Failed | Stage::NotHere)
            | (Stage::Paid, Stage::Returned) => {}
            (from, to) => bail!("trade {key} can't go from {from:?} to {to:?}"),
        }
        let (at_us, pay) = (now_us(), trade.pay.clone());
        self.write(&Record {
            channel: kind,
            stage,
            at_us,
            pay: &*pay,
        })?;
        self.apply(kind, key, stage, at_us);
        Ok(pay)
    }

    fn insert(&mut self, kind: Kind, key: String, pay: Arc<ChannelPay>, stage: Stage, at_us: i64) {
        let trade = Trade {
            pay,
            stage: Stage::InProcess,
            line: None,
        };
        self.known[kind.index()].insert(key.clone(), trade);
        self.apply(kind, &key, stage, at_us);
    }

    fn apply(&mut self, kind: Kind, key: &str, stage: Stage, at_us: i64) {
        let Some(trade) = self.known[kind.index()].get_mut(key) else {
            return;
        };
        trade.stage = stage;
        match (stage, trade.line) {
            (Stage::Paid, None) => trade.line = Some(self.book.pay(kind, trade.pay.clone(), at_us)),
            (Stage::Returned, Some(line)) => self.book.give_back(line),
            _ => {}
        }
    }

    fn write(&mut self, record: &Record<&ChannelPay>) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        // One write per line: after a kill the kernel still has it.
        file.write_all(&line).context("can't write book_file")
    }
}
