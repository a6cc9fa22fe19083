//! The book of what the channels really paid, in order. Nothing here is ever removed.

pub mod trade_log;

use crate::channels::kinds::SimulatorKind;
use ahash::AHashMap;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sluice_contract::wire::ChannelPay;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One payment that left the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedPayment {
    pub channel: SimulatorKind,
    pub serial_no: String,
    /// `YYYYMMDD` in the channel's zone.
    pub trade_date: String,
    pub to_account: String,
    /// Major units, as text.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    pub currency: String,
    pub paid_us: i64,
    /// 退票: given back after it was paid.
    pub returned: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookSummary {
    /// Payments, the returned ones included.
    pub count: u64,
    pub returned: u64,
    /// Major units as text, by currency; the returned ones included.
    pub sums: BTreeMap<String, String>,
    /// Serial numbers that were paid more than once.
    pub doubled: Vec<String>,
}

#[derive(Debug)]
struct BookLine {
    kind: SimulatorKind,
    pay: Arc<ChannelPay>,
    paid_us: i64,
    returned: bool,
}

#[derive(Debug, Default, Clone)]
struct BookTotals {
    count: u64,
    returned: u64,
    sums: BTreeMap<String, Decimal>,
}

/// All channels' payments, so that a payment on two of them shows as doubled.
#[derive(Debug, Default)]
pub(in crate::channels) struct PaymentBook {
    lines: Vec<BookLine>,
    totals: [BookTotals; SimulatorKind::COUNT],
    times: AHashMap<Arc<str>, [u32; SimulatorKind::COUNT]>,
    /// Serial numbers in the order in which they were paid a second time.
    doubled: Vec<Arc<str>>,
}

/// The first eight digits of a trade time; checked to exist by the HTTP side.
pub(in crate::channels) fn trade_date(trade_time: &str) -> &str {
    trade_time.get(..8).unwrap_or(trade_time)
}

impl PaymentBook {
    /// Writes a payment down; the position is for `give_back`.
    pub fn pay(&mut self, kind: SimulatorKind, pay: Arc<ChannelPay>, paid_us: i64) -> usize {
        let totals = &mut self.totals[kind.index()];
        totals.count += 1;
        *totals.sums.entry(pay.currency.clone()).or_default() += pay.amount;
        let serial: Arc<str> = pay.serial_no.as_str().into();
        let times = self.times.entry(serial.clone()).or_default();
        times[kind.index()] += 1;
        if times.iter().sum::<u32>() == 2 {
            self.doubled.push(serial);
        }
        self.lines.push(BookLine {
            kind,
            pay,
            paid_us,
            returned: false,
        });
        self.lines.len() - 1
    }

    pub fn give_back(&mut self, at: usize) {
        if let Some(line) = self.lines.get_mut(at).filter(|line| !line.returned) {
            line.returned = true;
            self.totals[line.kind.index()].returned += 1;
        }
    }

    /// At most `limit` payments of `kind` from position `after` on, and the
    /// position to go on from: `None` at the end.
    pub fn page(
        &self,
        kind: Option<SimulatorKind>,
        after: usize,
        limit: usize,
    ) -> (Vec<BookedPayment>, Option<usize>) {
        let mut items = Vec::new();
        for (at, line) in self.lines.iter().enumerate().skip(after) {
            if items.len() == limit {
                return (items, Some(at));
            }
            if kind.is_none_or(|k| k == line.kind) {
                items.push(line.shown());
            }
        }
        (items, None)
    }

    /// Of one channel; `None` sums up all, where one serial number paid once by
    /// each of two counts as doubled.
    pub fn summary(&self, kind: Option<SimulatorKind>) -> BookSummary {
        let mut summary = BookSummary::default();
        let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
        for k in SimulatorKind::ALL
            .into_iter()
            .filter(|k| kind.is_none_or(|only| only == *k))
        {
            let totals = &self.totals[k.index()];
            summary.count += totals.count;
            summary.returned += totals.returned;
            for (currency, sum) in &totals.sums {
                *sums.entry(currency).or_default() += *sum;
            }
        }
        summary.sums = sums
            .into_iter()
            .map(|(c, sum)| (c.to_owned(), sum.to_string()))
            .collect();
        let doubled = self
            .doubled
            .iter()
            .filter(|serial| match (kind, self.times.get(*serial)) {
                (Some(kind), Some(times)) => times[kind.index()] > 1,
                _ => true,
            });
        summary.doubled = doubled.map(|serial| serial.to_string()).collect();
        summary
    }
}

impl BookLine {
    fn shown(&self) -> BookedPayment {
        BookedPayment {
            channel: self.kind,
            serial_no: self.pay.serial_no.clone(),
            trade_date: trade_date(&self.pay.trade_time).to_owned(),
            to_account: self.pay.to_account.clone(),
            amount: self.pay.amount,
            currency: self.pay.currency.clone(),
            paid_us: self.paid_us,
            returned: self.returned,
        }
    }
}
