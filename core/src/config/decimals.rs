//! Decimals of amounts by channel and currency. Providers' differ from ISO 4217 and from
//! each other: 2000 sent for 2000 ISK is 20.00 to one that counts two decimals.

use crate::config::ChannelId;
use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use sluice_contract::money::{COLUMN_SCALE, Currency};
use std::collections::{BTreeMap, BTreeSet};

/// Currencies of the national networks, as their documentation has them. Amounts are text.
const NETWORK_DECIMALS: &[(&str, u32)] = &[
    ("AUD", 2),
    ("BHD", 3),
    ("CAD", 2),
    ("CHF", 2),
    ("CNY", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("SGD", 2),
    ("THB", 2),
    ("USD", 2),
];

/// Currencies of the payout API. Not ISO's: ISK and CLP are counted in hundredths, IDR and
/// TWD in whole units.
const PSP_DECIMALS: &[(&str, u32)] = &[
    ("BHD", 3),
    ("CLP", 2),
    ("CNY", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("IDR", 0),
    ("ISK", 2),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("SGD", 2),
    ("TWD", 0),
    ("USD", 2),
];

/// Reason why an amount can't be told to a channel. Nothing is ever rounded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalsError {
    #[error("{channel} is not known to take {currency}: see channels.decimals")]
    UnknownPair {
        channel: &'static str,
        currency: Currency,
    },
    #[error("{channel} is not sent {currency}: channels.currencies leaves it out")]
    LeftOut {
        channel: &'static str,
        currency: Currency,
    },
    #[error("{channel} takes {currency} with {decimals} decimals, {amount} has more")]
    TooFine {
        channel: &'static str,
        currency: Currency,
        decimals: u32,
        amount: Decimal,
    },
    #[error("{amount} {currency} is more than {channel}'s amounts can hold")]
    TooLarge {
        channel: &'static str,
        currency: Currency,
        amount: Decimal,
    },
}

/// Decimals of one channel. A currency that isn't listed isn't sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelDecimals {
    channel: &'static str,
    /// All that are known: answers about what was sent before are read by them, whatever may
    /// be sent now.
    decimals: BTreeMap<Currency, u32>,
    /// Currencies that may be sent; `None`: all whose decimals are known.
    sent: Option<BTreeSet<Currency>>,
}

impl ChannelDecimals {
    /// Makes the table from what the channel's documentation says and the `overrides` of the
    /// settings; `only` are the currencies that may be sent, if they are listed.
    ///
    /// # Errors
    /// A currency that the platform or the channel doesn't know, or decimals out of bounds.
    pub fn new(
        id: ChannelId,
        overrides: &BTreeMap<String, u32>,
        only: Option<&[String]>,
    ) -> anyhow::Result<Self> {
        let channel = id.as_str();
        let mut decimals = documented(id)
            .iter()
            .map(|(code, digits)| Ok((currency(channel, "decimals", code)?, *digits)))
            .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        for (code, digits) in overrides {
            ensure!(
                *digits <= COLUMN_SCALE,
                "channels.decimals of {channel}: {code} = {digits}, at most {COLUMN_SCALE}"
            );
            decimals.insert(currency(channel, "decimals", code)?, *digits);
        }
        let sent = only
            .map(|only| sent(channel, &decimals, only))
            .transpose()?;
        Ok(ChannelDecimals {
            channel,
            decimals,
            sent,
        })
    }

    /// Tells whether the channel may be sent this currency.
    pub fn takes(&self, currency: Currency) -> bool {
        self.decimals.contains_key(&currency) && !self.is_left_out(currency)
    }

    fn is_left_out(&self, currency: Currency) -> bool {
        let sent = self.sent.as_ref();
        sent.is_some_and(|sent| !sent.contains(&currency))
    }

    /// Checks that the channel can be told exactly this amount, in major units.
    pub fn check(&self, amount: Decimal, currency: Currency) -> Result<(), DecimalsError> {
        self.units(amount, currency).map(|_| ())
    }

    /// Counts an amount in the channel's own minor units; exact.
    pub fn units(&self, amount: Decimal, currency: Currency) -> Result<i64, DecimalsError> {
        let channel = self.channel;
        let decimals = *self
            .decimals
            .get(&currency)
            .ok_or(DecimalsError::UnknownPair { channel, currency })?;
        if self.is_left_out(currency) {
            return Err(DecimalsError::LeftOut { channel, currency });
        }
        let too_large = DecimalsError::TooLarge {
            channel,
            currency,
            amount,
        };
        let mut scaled = amount;
        scaled.rescale(decimals);
        if scaled != amount {
            return Err(DecimalsError::TooFine {
                channel,
                currency,
                decimals,
                amount: amount.normalize(),
            });
        }
        // Where the digits don't fit, `rescale` keeps fewer decimals than it was asked for.
        if scaled.scale() != decimals {
            return Err(too_large);
        }
        i64::try_from(scaled.mantissa()).map_err(|_| too_large)
    }

    /// Reads an amount of the channel's own minor units, in major units; exact. A currency
    /// that may not be sent any more is still read. `None`: not a currency of this channel.
    pub fn amount_of(&self, units: i64, currency: Currency) -> Option<Decimal> {
        let decimals = self.decimals.get(&currency)?;
        Some(Decimal::new(units, *decimals))
    }
}

/// Reads the currencies that may be sent.
fn sent(
    channel: &str,
    decimals: &BTreeMap<Currency, u32>,
    only: &[String],
) -> anyhow::Result<BTreeSet<Currency>> {
    let read = |code: &String| {
        let currency = currency(channel, "currencies", code)?;
        ensure!(
            decimals.contains_key(&currency),
            "channels.currencies of {channel}: {code} needs its decimals in channels.decimals, as {channel} documents them"
        );
        Ok(currency)
    };
    only.iter().map(read).collect()
}

fn documented(id: ChannelId) -> &'static [(&'static str, u32)] {
    match id {
        ChannelId::Netsunion | ChannelId::Unionpay => NETWORK_DECIMALS,
        ChannelId::Psp => PSP_DECIMALS,
    }
}

fn currency(channel: &str, key: &str, code: &str) -> anyhow::Result<Currency> {
    code.parse()
        .with_context(|| format!("channels.{key} of {channel}: {code:?}"))
}

#[cfg(test)]
#[path = "decimals_tests.rs"]
mod tests;
