use super::*;
use crate::transaction_key::{TransactionKeyPair, TransactionPublicKey};

fn balance() -> SignedBalance<'static> {
    SignedBalance {
        account_id: b"A",
        currency: b"CNY",
        balance: 10,
        available: 4,
        reserved: 6,
        intermediate: 0,
        intermediate_reserved: 0,
        version: 2,
    }
}

fn effects(order: [usize; 3]) -> TransactionEffects {
    let mut all = TransactionEffects::new();
    for which in order {
        match which {
            0 => all.balance(&balance()),
            1 => all.entry(&SignedEntry {
                account_id: b"A",
                posting_id: b"p",
                line: 0,
                book: b"available",
                side: b"D",
                amount: 6,
                currency: b"CNY",
            }),
            _ => all.order(&SignedOrder {
                account_id: b"A",
                order_id: b"o",
                state: b"init",
                to_account: b"to",
                amount: 6,
                version: 1,
                ..SignedOrder::default()
            }),
        }
    }
    all
}

/// Every table's effect, with or without who paid.
fn every_table(payer: &[u8]) -> TransactionEffects {
    let mut all = effects([0, 1, 2]);
    all.attempt(&SignedAttempt {
        account_id: b"A",
        order_id: b"o",
        attempt_no: 1,
        channel: b"psp",
        state: b"calling",
    });
    all.capture(&SignedCapture {
        account_id: b"A",
        payment_no: b"P",
        currency: b"CNY",
        captured: 5,
        refunded: 0,
        settled: 0,
        version: 1,
        payer,
    });
    all
}

#[test]
fn signature_covers_every_effect_in_any_order() {
    let key = Secret::new("key");
    let signature = effects([0, 1, 2]).sign(&key, "t", "[]");
    let verify = |e: &TransactionEffects, id: &[u8], events: &[u8]| {
        e.verify(&key, id, events, signature.as_bytes())
    };
    assert!(verify(&effects([2, 0, 1]), b"t", b"[]"));
    assert!(!verify(&effects([2, 0, 1]), b"u", b"[]"));
    assert!(!verify(&effects([2, 0, 1]), b"t", b"[1]"));
    assert!(!verify(&effects([2, 0, 0]), b"t", b"[]"));
    let mut more = effects([0, 1, 2]);
    more.balance(&SignedBalance {
        account_id: b"B",
        ..balance()
    });
    assert!(!verify(&more, b"t", b"[]"));
}

/// Computed by hand over the bytes that releases of before sign: old and new cores sign the
/// same while one replaces the other.
#[test]
fn macs_are_those_of_programs_of_before() {
    let key = Secret::new("key");
    for (payer, expected) in [
        (
            &b""[..],
            "8fc8a3df6e28ba777e1fe8f7e6e6a88f14a67e7c59d15d2ce64f06d17e75a74f",
        ),
        (
            b"B",
            "c13f3db338c5d1aea5b6ec4338a163cc67df8bc1f336f76b7ec34ae3ceb1d7ce",
        ),
    ] {
        assert_eq!(every_table(payer).sign(&key, "t", "[]"), expected);
    }
}

#[test]
fn fields_cannot_run_into_each_other() {
    let key = Secret::new("key");
    let attempt = |account_id, order_id| {
        let mut one = TransactionEffects::new();
        one.attempt(&SignedAttempt {
            account_id,
            order_id,
            attempt_no: 1,
            channel: b"x",
            state: b"y",
        });
        one.sign(&key, "t", "")
    };
    assert_ne!(attempt(b"A|1:B", b"C"), attempt(b"A", b"B|1:C"));
}

#[test]
fn each_signed_table_is_listed_once_with_its_own_letter_and_columns() {
    for table in EFFECT_TABLES {
        let same = |other: &&EffectTable| other.name == table.name || other.letter == table.letter;
        assert_eq!(
            EFFECT_TABLES.iter().filter(same).count(),
            1,
            "{}",
            table.name
        );
        assert!(table.columns.len() <= MAX_EFFECT_COLUMNS, "{}", table.name);
        let (last, others) = table.columns.split_last().unwrap();
        let is_left_out = |column: &EffectColumn| column.kind == EffectColumnKind::TextIfKnown;
        assert!(!others.iter().any(is_left_out), "{}: {last:?}", table.name);
        for column in table.columns {
            let same = table.columns.iter().filter(|c| c.name == column.name);
            assert_eq!(same.count(), 1, "{} {}", table.name, column.name);
        }
    }
}

fn pair(digit: &str) -> TransactionKeyPair {
    TransactionKeyPair::new(&Secret::new(&digit.repeat(64))).unwrap()
}

#[test]
fn a_pair_signs_and_public_keys_verify_while_one_replaces_the_other() {
    use TransactionSignatureError::{Mismatch, UnknownKey};
    let (old, new) = (pair("1"), pair("2"));
    let (old_key, new_key) = (old.public().clone(), new.public().clone());
    let signer = TransactionSigner::new(Secret::new("mac"), Some(old.into()));
    let signed = signer.sign(&effects([0, 1, 2]), "t", "[]");
    let mac = effects([0, 1, 2]).sign(&Secret::new("mac"), "t", "[]");
    assert_eq!(signed.signature, mac, "for programs of before");
    let signature = signed.proof;
    assert!(signature.starts_with(&format!("2.{}.", old_key.id())));
    assert!(signature.len() <= 128, "the column's width: {signature}");
    let check = |verifier: &TransactionVerifier, e: &TransactionEffects, text: &str| {
        let signatures = TransactionSignatures {
            signature: mac.as_bytes(),
            proof: text.as_bytes(),
        };
        verifier.check(e, b"t", b"[]", signatures)
    };
    let genuine = effects([2, 1, 0]);
    let rolling = TransactionVerifier::new(vec![new_key.clone(), old_key.clone()], None);
    assert_eq!(check(&rolling, &genuine, &signature), Ok(()));
    assert_eq!(
        check(&rolling, &effects([2, 1, 1]), &signature),
        Err(Mismatch)
    );
    let rolled = TransactionVerifier::new(vec![new_key.clone()], None);
    let named = Err(UnknownKey(old_key.id().to_owned()));
    assert_eq!(check(&rolled, &genuine, &signature), named);
    // What held once is remembered for exactly this, and for nothing else.
    assert_eq!(check(&rolling.clone(), &genuine, &signature), Ok(()));
    let other = signature.replace("2.", "2.x");
    assert!(check(&rolling, &genuine, &other).is_err());
    // Another key's name over the same bytes is another message.
    let renamed = signature.replace(old_key.id(), new_key.id());
    assert_eq!(check(&rolling, &genuine, &renamed), Err(Mismatch));
    for text in ["", "2.", "2.11111111.", "3.x.y", "00", &signature[..60]] {
        assert!(check(&rolling, &genuine, text).is_err(), "{text}");
    }
}

#[test]
fn a_mac_counts_only_while_somebody_accepts_it() {
    use TransactionSignatureError::{MacAlone, Mismatch};
    let key = Secret::new("0123456789abcdef");
    // A core with a pair signs for sidecars without public keys as well.
    let pairs = TransactionSigner::new(key.clone(), Some(pair("9").into()));
    let signed = pairs.sign(&effects([0, 1, 2]), "t", "[]");
    let without_public = TransactionVerifier::from(key.clone());
    let holds = without_public.check(&effects([0, 1, 2]), b"t", b"[]", signed.bytes());
    assert_eq!(holds, Ok(()));
    let mac = TransactionSigner::from(key.clone()).sign(&effects([0, 1, 2]), "t", "[]");
    let check = |verifier: &TransactionVerifier| {
        verifier.check(&effects([0, 1, 2]), b"t", b"[]", mac.bytes())
    };
    let public = vec![pair("1").public().clone()];
    assert_eq!(check(&key.clone().into()), Ok(()));
    let both = TransactionVerifier::new(public.clone(), Some(key.into()));
    assert_eq!(check(&both), Ok(()));
    assert_eq!(
        check(&TransactionVerifier::new(public, None)),
        Err(MacAlone)
    );
    assert_eq!(check(&Secret::new("another").into()), Err(Mismatch));
}

#[test]
fn a_file_of_public_keys_names_each_by_itself_and_says_what_is_none() {
    let (one, two) = (pair("1"), pair("2"));
    let text = format!(
        "# ours\n{}\n\n{}\n",
        one.public().line(),
        two.public().line()
    );
    let keys = TransactionPublicKey::parse_all(&text).unwrap();
    assert_eq!(keys, [one.public().clone(), two.public().clone()]);
    for (text, said) in [
        ("# none\n", "holds no key"),
        ("00\nzz", "line 1"),
        ("", "no key"),
    ] {
        let refused = TransactionPublicKey::parse_all(text).unwrap_err();
        assert!(format!("{refused:#}").contains(said), "{refused:#}");
    }
    let private = "3".repeat(63);
    let refused = TransactionKeyPair::new(&Secret::new(&private)).unwrap_err();
    assert!(!format!("{refused:#}").contains(&private), "{refused:#}");
    assert!(!format!("{one:?}").contains("1111"), "{one:?}");
}
