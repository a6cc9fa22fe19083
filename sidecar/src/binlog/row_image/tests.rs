use super::*;

fn read(column: ColumnFormat, mut bytes: &[u8]) -> Option<ColumnValue> {
    let value = value(column, &mut bytes)?;
    bytes.is_empty().then_some(value)
}

fn dec(text: &str) -> Option<ColumnValue> {
    Decimal::from_str_exact(text).ok().map(ColumnValue::Dec)
}

#[test]
fn integers_by_table() {
    let int = |bytes, unsigned| ColumnFormat::Int { bytes, unsigned };
    let cases: &[(ColumnFormat, &[u8], ColumnValue)] = &[
        (int(1, false), &[0xfb], ColumnValue::Int(-5)),
        (int(1, true), &[0xfb], ColumnValue::Int(251)),
        (int(2, false), &[0xff, 0x7f], ColumnValue::Int(32767)),
        (int(3, false), &[0xff, 0xff, 0xff], ColumnValue::Int(-1)),
        (
            int(3, true),
            &[0xff, 0xff, 0xff],
            ColumnValue::Int(16_777_215),
        ),
        (
            int(4, false),
            &[0, 0, 0, 0x80],
            ColumnValue::Int(i64::from(i32::MIN)),
        ),
        (int(8, false), &[0xff; 8], ColumnValue::Int(-1)),
        (
            int(8, false),
            &[0, 0, 0, 0, 0, 0, 0, 0x80],
            ColumnValue::Int(i64::MIN),
        ),
        (
            int(8, true),
            &[0xff; 8],
            ColumnValue::Dec(Decimal::from(u64::MAX)),
        ),
        (ColumnFormat::Year, &[126], ColumnValue::Int(2026)),
    ];
    for (column, bytes, want) in cases {
        assert_eq!(
            read(*column, bytes).as_ref(),
            Some(want),
            "{column:?} {bytes:?}"
        );
    }
}

#[test]
fn decimals_by_table() {
    // DECIMAL(14,4) 1234567890.1234, the example of MySQL's decimal.c.
    let column = ColumnFormat::Decimal {
        whole: 10,
        fraction: 4,
    };
    let plus = [0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2];
    let minus = plus.map(|b: u8| b ^ 0xff);
    assert_eq!(read(column, &plus), dec("1234567890.1234"));
    assert_eq!(read(column, &minus), dec("-1234567890.1234"));
    assert_eq!(
        read(
            ColumnFormat::Decimal {
                whole: 2,
                fraction: 2
            },
            &[0x80, 0]
        ),
        dec("0.00")
    );
    assert_eq!(
        read(
            ColumnFormat::Decimal {
                whole: 0,
                fraction: 2
            },
            &[0x80 | 7]
        ),
        dec("0.07")
    );
    // DECIMAL(65,0) of 65 nines: too long for exact rules, so opaque.
    let mut long = vec![0x80 | 0x63];
    long.extend([0x3b, 0x9a, 0xc9, 0xff].repeat(7));
    assert_eq!(
        read(
            ColumnFormat::Decimal {
                whole: 65,
                fraction: 0
            },
            &long
        ),
        Some(ColumnValue::Opaque)
    );
}

#[test]
fn text_is_utf8_or_opaque_and_never_cut() {
    let text = ColumnFormat::Text { prefix: 1 };
    assert_eq!(
        read(text, "\u{6}退票".as_bytes()),
        Some(ColumnValue::Text("退票".into()))
    );
    assert_eq!(read(text, &[1, 0xff]), Some(ColumnValue::Opaque));
    assert_eq!(read(text, &[2, b'a']), None);
    assert_eq!(
        read(ColumnFormat::Text { prefix: 2 }, &[1, 0, b'a']),
        Some(ColumnValue::Text("a".into()))
    );
}

#[test]
fn nulls_take_no_bytes() {
    let columns = [
        ColumnFormat::Int {
            bytes: 1,
            unsigned: false,
        },
        ColumnFormat::Text { prefix: 1 },
    ];
    let mut data: &[u8] = &[0b10, 7];
    let want: RowImage = Box::new([ColumnValue::Int(7), ColumnValue::Null]);
    assert_eq!(image(&columns, &mut data), Some(want));
    assert!(data.is_empty());
}
