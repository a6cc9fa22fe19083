//! The published schemas and the code agree on every event: what one accepts the
//! other accepts.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic and print.

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use sluice_contract::event::{BUSINESS_EVENTS, BusinessEvent};
use std::path::Path;

struct PublishedSchemas {
    schemas: Schemas,
    kinds: Vec<(&'static str, SchemaIndex)>,
}

fn published() -> PublishedSchemas {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.set_default_draft(Draft::V2020_12);
    let mut kinds = Vec::new();
    for kind in BUSINESS_EVENTS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("events/{kind}.schema.json"));
        let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let place = format!("https://sluice.invalid/{kind}");
        compiler.add_resource(&place, schema).unwrap();
        kinds.push((kind, compiler.compile(&place, &mut schemas).unwrap()));
    }
    PublishedSchemas { schemas, kinds }
}

impl PublishedSchemas {
    /// Whether the schema of any type takes it.
    fn takes(&self, event: &Value) -> bool {
        self.kinds
            .iter()
            .any(|(_, schema)| self.schemas.validate(event, *schema).is_ok())
    }
}

#[test]
fn examples_are_good_and_every_type_is_published() {
    let published = published();
    for (kind, _) in &published.kinds {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("events/{kind}.schema.json"));
        let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for example in schema["examples"].as_array().unwrap() {
            assert!(published.takes(example));
            assert_eq!(
                BusinessEvent::read(example.to_string().as_bytes())
                    .unwrap()
                    .kind,
                *kind
            );
        }
    }
}

#[test]
fn schema_and_code_accept_and_refuse_the_same() {
    let seed = std::env::var("SLUICE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random);
    println!("seed {seed} (set SLUICE_SEED to play it again)");
    let mut dice = StdRng::seed_from_u64(seed);
    let published = published();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let event = event(&mut dice);
        let read = BusinessEvent::read(event.to_string().as_bytes());
        assert_eq!(
            published.takes(&event),
            read.is_ok(),
            "{event} gave {read:?}"
        );
        if read.is_ok() { good += 1 } else { bad += 1 }
    }
    assert!(good > 1_000 && bad > 1_000, "{good} good, {bad} bad");
}

/// Mostly a good event, with some field spoilt.
fn event(dice: &mut StdRng) -> Value {
    let kinds = [
        "payment.succeeded",
        "deposit.received",
        "withdraw.requested",
    ];
    let mut event = json!({
        "id": "e-1", "type": kinds[dice.random_range(0..3)], "accountId": "a", "bizNo": "b",
        "amount": amount(dice), "currency": "CNY", "occurredUs": occurred(dice),
    });
    let fields = [
        "id",
        "type",
        "accountId",
        "bizNo",
        "amount",
        "currency",
        "occurredUs",
        "client",
        "more",
    ];
    for _ in 0..dice.random_range(0..2) {
        let field = *fields.choose(dice).unwrap();
        match dice.random_range(0..8) {
            0 => drop(event.as_object_mut().unwrap().remove(field)),
            1 => event[field] = Value::Null,
            2 => event[field] = json!(""),
            3 => event[field] = json!(dice.random_range(-5..5)),
            4 => event[field] = json!("退票 \u{1}"),
            5 => event[field] = json!(["x"]),
            // No float that is whole: JSON Schema takes 1.0 for an integer, the code does not.
            6 => event[field] = json!(1.5),
            _ => event[field] = json!(u64::MAX),
        }
    }
    event
}

/// Mostly a good time; now and then in another unit, at an edge, or anything.
fn occurred(dice: &mut StdRng) -> i64 {
    let (first, end) = (946_684_800_000_000, 4_102_444_800_000_000);
    let good = dice.random_range(first..end);
    match dice.random_range(0..12) {
        0 => dice.random(),
        1 => good / 1_000,
        2 => good / 1_000_000,
        3 => good.saturating_mul(1_000),
        4 => *[first, first - 1, end, end - 1, 0, -1]
            .choose(dice)
            .unwrap(),
        _ => good,
    }
}

fn amount(dice: &mut StdRng) -> String {
    let plain = |dice: &mut StdRng, most| -> String {
        (0..dice.random_range(0..=most))
            .map(|_| char::from(b'0' + dice.random_range(0..10_u8)))
            .collect()
    };
    let fixed = [
        "0", "0.0", "0.0001", "00", "01.5", "-1", "+1", "1e3", ".5", "5.", "1_0", " 1", "1 ", "١",
        "NaN", "1.5\n",
    ];
    match dice.random_range(0..4) {
        0 => (*fixed.choose(dice).unwrap()).to_owned(),
        1 => plain(dice, 18),
        2 => format!("{}.{}", plain(dice, 18), plain(dice, 6)),
        _ => format!(
            "{}.{:02}",
            dice.random_range(1..1_000_000),
            dice.random_range(0..100)
        ),
    }
}
