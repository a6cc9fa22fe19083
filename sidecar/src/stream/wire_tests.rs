use super::*;

#[test]
fn numbers_and_decimals_come_back_exactly() {
    let mut out = Vec::new();
    let numbers = [0, 1, 127, 128, 300, u64::MAX];
    let signed = [0, -1, 1, i64::MIN, i64::MAX];
    let decimals = [
        "0",
        "-0.00",
        "1.50",
        "-1.5000",
        "79228162514264337593543950335",
        "0.0000000000000000000000000001",
    ];
    numbers.iter().for_each(|n| put_number(&mut out, *n));
    signed.iter().for_each(|n| put_signed(&mut out, *n));
    let mut written: Vec<Decimal> = decimals
        .iter()
        .map(|d| Decimal::from_str_exact(d).unwrap())
        .collect();
    written[1].set_sign_negative(true);
    written.iter().for_each(|d| put_decimal(&mut out, *d));
    let mut bytes = ByteReader(&out);
    numbers
        .iter()
        .for_each(|n| assert_eq!(bytes.number(), Some(*n)));
    signed
        .iter()
        .for_each(|n| assert_eq!(bytes.signed(), Some(*n)));
    written
        .iter()
        .for_each(|d| assert_eq!(bytes.decimal().unwrap().serialize(), d.serialize()));
    assert!(bytes.is_empty() && bytes.byte().is_none());
    assert_eq!(
        ByteReader(&[0xff; 11]).number(),
        None,
        "longer than 64 bits"
    );
}
