//! Trades by serial number and trade date, the book, and the file behind both.
//! A trade is written to the file before anybody can learn of it.

use crate::channels::book::{PaymentBook, trade_date};
use crate::channels::kinds::{SimulatorKind, TradeStage};
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
pub(in crate::channels) struct SimulatedTrade {
    pub pay: Arc<ChannelPay>,
    pub stage: TradeStage,
    /// Position in the book, once paid.
    line: Option<usize>,
}

/// A line of the file: a trade entered a stage.
#[derive(Serialize, Deserialize)]
struct TradeRecord<P> {
    channel: SimulatorKind,
    stage: TradeStage,
    at_us: i64,
    pay: P,
}

#[derive(Debug, Default)]
pub(in crate::channels) struct TradeLog {
    known: [AHashMap<String, SimulatedTrade>; SimulatorKind::COUNT],
    pub book: PaymentBook,
    file: Option<File>,
}

/// The channel's idempotency key (seed 002 §3.2: one institution, one day).
pub(in crate::channels) fn key(serial_no: &str, trade_time: &str) -> String {
    format!("{serial_no}|{}", trade_date(trade_time))
}

impl TradeLog {
    /// Reads back what an earlier run wrote to `path`, then appends to it.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let mut trades = TradeLog::default();
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
            let record: TradeRecord<ChannelPay> =
                serde_json::from_str(line).with_context(|| {
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

    pub fn get(&self, kind: SimulatorKind, key: &str) -> Option<&SimulatedTrade> {
        self.known[kind.index()].get(key)
    }

    /// Trades that are still to be settled.
    pub fn in_process(&self, kind: SimulatorKind) -> Vec<String> {
        let open = self.known[kind.index()]
            .iter()
            .filter(|(_, trade)| trade.stage == TradeStage::InProcess);
        open.map(|(key, _)| key.clone()).collect()
    }

    /// Records a trade that isn't known yet.
    pub fn enter(
        &mut self,
        kind: SimulatorKind,
        key: String,
        pay: Arc<ChannelPay>,
        stage: TradeStage,
    ) -> anyhow::Result<()> {
        let at_us = now_us();
        self.write(&TradeRecord {
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
        kind: SimulatorKind,
        key: &str,
        stage: TradeStage,
    ) -> anyhow::Result<Arc<ChannelPay>> {
        let Some(trade) = self.get(kind, key) else {
            bail!("trade {key} is not known")
        };
        match (trade.stage, stage) {
            (
                TradeStage::InProcess,
                TradeStage::Paid | TradeStage::Failed | TradeStage::NotHere,
            )
            | (TradeStage::Paid, TradeStage::Returned) => {}
            (from, to) => bail!("trade {key} can't go from {from:?} to {to:?}"),
        }
        let (at_us, pay) = (now_us(), trade.pay.clone());
        self.write(&TradeRecord {
            channel: kind,
            stage,
            at_us,
            pay: &*pay,
        })?;
        self.apply(kind, key, stage, at_us);
        Ok(pay)
    }

    fn insert(
        &mut self,
        kind: SimulatorKind,
        key: String,
        pay: Arc<ChannelPay>,
        stage: TradeStage,
        at_us: i64,
    ) {
        let trade = SimulatedTrade {
            pay,
            stage: TradeStage::InProcess,
            line: None,
        };
        self.known[kind.index()].insert(key.clone(), trade);
        self.apply(kind, &key, stage, at_us);
    }

    fn apply(&mut self, kind: SimulatorKind, key: &str, stage: TradeStage, at_us: i64) {
        let Some(trade) = self.known[kind.index()].get_mut(key) else {
            return;
        };
        trade.stage = stage;
        match (stage, trade.line) {
            (TradeStage::Paid, None) => {
                trade.line = Some(self.book.pay(kind, trade.pay.clone(), at_us))
            }
            (TradeStage::Returned, Some(line)) => self.book.give_back(line),
            // Nothing is paid, or it stands in the book already.
            (TradeStage::Paid, Some(_))
            | (TradeStage::Returned, None)
            | (TradeStage::InProcess | TradeStage::Failed | TradeStage::NotHere, _) => {}
        }
    }

    fn write(&mut self, record: &TradeRecord<&ChannelPay>) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        // One write per line: after a kill the kernel still has it.
        file.write_all(&line).context("can't write book_file")
    }
}
