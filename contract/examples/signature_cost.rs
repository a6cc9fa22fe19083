//! Times what a transaction's signature costs beside its MAC: `cargo run --release --example
//! signature_cost`.
#![allow(clippy::print_stdout)]

use sluice_contract::provenance::{
    SignedEntry, TransactionEffects, TransactionSigner, TransactionVerifier,
};
use sluice_contract::settings::Secret;
use sluice_contract::transaction_key::TransactionKeyPair;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: u32 = 2_000;
/// Rows of a transaction: the fewest, some dozens, a large batch.
const SIZES: [i128; 3] = [1, 36, 400];

fn effects(rows: i128) -> TransactionEffects {
    let mut all = TransactionEffects::new();
    for line in 0..rows {
        all.entry(&SignedEntry {
            account_id: b"A00001",
            posting_id: b"0198c0ffee0011223344556677889900-reserve",
            line,
            book: b"available",
            side: b"D",
            amount: 123_400,
            currency: b"CNY",
        });
    }
    all
}

/// Microseconds of one call.
fn timed(mut call: impl FnMut()) -> u128 {
    let begun = Instant::now();
    (0..ROUNDS).for_each(|_| call());
    begun.elapsed().as_nanos() / u128::from(ROUNDS) / 100
}

fn main() -> anyhow::Result<()> {
    let mac_key = Secret::new(&"k".repeat(64));
    let pair = TransactionKeyPair::new(&Secret::new(&"1".repeat(64)))?;
    let public = TransactionVerifier::new(vec![pair.public().clone()], None);
    let macs = TransactionVerifier::from(mac_key.clone());
    let alone = TransactionSigner::from(mac_key.clone());
    let both = TransactionSigner::new(mac_key, Some(Arc::new(pair)));
    println!("rows | MAC | MAC and signature | verify MAC | verify signature (tenths of a µs)");
    for rows in SIZES {
        let effects = effects(rows);
        let signed = both.sign(&effects, "t", "[]");
        let check = |keys: &TransactionVerifier| {
            let held = keys.check(&effects, b"t", b"[]", signed.bytes());
            assert_eq!(held, Ok(()));
        };
        println!(
            "{rows} | {} | {} | {} | {}",
            timed(|| drop(alone.sign(&effects, "t", "[]"))),
            timed(|| drop(both.sign(&effects, "t", "[]"))),
            timed(|| check(&macs)),
            timed(|| check(&public)),
        );
    }
    Ok(())
}
