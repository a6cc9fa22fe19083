use super::*;

fn effects(order: [usize; 3]) -> TransactionEffects {
    let mut all = TransactionEffects::new();
    for which in order {
        match which {
            0 => all.balance(b"A", b"CNY", &[10, 4, 6, 0, 0], 2),
            1 => all.entry(b"A", b"p", 0, b"available", b"D", 6, b"CNY"),
            _ => all.order(
                b"A",
                b"o",
                &OrderTextFields {
                    state: b"init",
                    to: b"to",
                    ..OrderTextFields::default()
                },
                6,
                1,
            ),
        }
    }
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
    more.balance(b"B", b"CNY", &[1, 1, 0, 0, 0], 1);
    assert!(!verify(&more, b"t", b"[]"));
}

#[test]
fn fields_cannot_run_into_each_other() {
    let key = Secret::new("key");
    let mut one = TransactionEffects::new();
    one.attempt(b"A|1:B", b"C", 1, b"x", b"y");
    let mut two = TransactionEffects::new();
    two.attempt(b"A", b"B|1:C", 1, b"x", b"y");
    assert_ne!(one.sign(&key, "t", ""), two.sign(&key, "t", ""));
}
