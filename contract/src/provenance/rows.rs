//! Effects of each guarded table's rows, one letter a table.

use crate::provenance::EffectField::{Int, Text};
use crate::provenance::TransactionEffects;

/// Text columns of an order; NULL is signed as empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderTextFields<'a> {
    pub kind: &'a [u8],
    pub state: &'a [u8],
    pub to: &'a [u8],
    pub currency: &'a [u8],
    pub channel: &'a [u8],
    pub serial_no: &'a [u8],
    pub trade_time: &'a [u8],
}

impl TransactionEffects {
    /// `b`: balances, in units of 10⁻⁴: balance, available, reserved, intermediate,
    /// intermediate_reserved.
    pub fn balance(&mut self, account: &[u8], currency: &[u8], amounts: &[i128; 5], version: i128) {
        let [balance, available, reserved, intermediate, held] = amounts.map(Int);
        let fields = [
            Text(account),
            Text(currency),
            balance,
            available,
            reserved,
            intermediate,
            held,
            Int(version),
        ];
        self.add("b", &fields);
    }

    /// `c`: a captured payment; what was captured, refunded and settled of it, in
    /// units of 10⁻⁴, and who paid. One whose payer nobody knows is signed as ever, so that
    /// programs of before and after agree on it.
    pub fn capture(
        &mut self,
        account: &[u8],
        payment: &[u8],
        currency: &[u8],
        amounts: &[i128; 3],
        version: i128,
        payer: &[u8],
    ) {
        let [captured, refunded, settled] = amounts.map(Int);
        let fields = [
            Text(account),
            Text(payment),
            Text(currency),
            captured,
            refunded,
            settled,
            Int(version),
            Text(payer),
        ];
        let known = fields.len() - usize::from(payer.is_empty());
        self.add("c", &fields[..known]);
    }

    /// `e`: a ledger entry; amount in units of 10⁻⁴.
    #[allow(clippy::too_many_arguments)]
    pub fn entry(
        &mut self,
        account: &[u8],
        posting: &[u8],
        line: i128,
        book: &[u8],
        side: &[u8],
        amount: i128,
        currency: &[u8],
    ) {
        self.add(
            "e",
            &[
                Text(account),
                Text(posting),
                Int(line),
                Text(book),
                Text(side),
                Int(amount),
                Text(currency),
            ],
        );
    }

    /// `o`: an order; amount in units of 10⁻⁴.
    pub fn order(
        &mut self,
        account: &[u8],
        order: &[u8],
        words: &OrderTextFields<'_>,
        amount: i128,
        version: i128,
    ) {
        let OrderTextFields {
            kind,
            state,
            to,
            currency,
            channel,
            serial_no,
            trade_time,
        } = *words;
        let fields = [
            Text(account),
            Text(order),
            Text(kind),
            Text(state),
            Text(to),
            Int(amount),
            Text(currency),
            Text(channel),
            Text(serial_no),
            Text(trade_time),
            Int(version),
        ];
        self.add("o", &fields);
    }

    /// `a`: an attempt at a channel.
    pub fn attempt(
        &mut self,
        account: &[u8],
        order: &[u8],
        number: i128,
        channel: &[u8],
        state: &[u8],
    ) {
        self.add(
            "a",
            &[
                Text(account),
                Text(order),
                Int(number),
                Text(channel),
                Text(state),
            ],
        );
    }
}
