//! Sets of MySQL's GTIDs by table, against a plain model, and on the wire.

use super::*;
use std::collections::BTreeSet;

const UUID: &str = "24bc7850-2c16-11e6-a073-0242ac110001";

#[test]
fn sets_as_text_by_table() {
    let cases = [
        ("", Some("")),
        ("U:1-5:7", Some("U:1-5:7")),
        ("U:7:1-5:6", Some("U:1-7")),
        ("U:1-3:mysqlsh:1", Some("U:1-3,U:mysqlsh:1")),
        ("U:mysqlsh:1-2:4:_b:9", Some("U:_b:9,U:mysqlsh:1-2:4")),
        ("U:1,U:a:2,U:2", Some("U:1-2,U:a:2")),
        ("U", None),
        ("U:", None),
        ("U:a", None),
        ("U:a:b:1", None),
        ("U:1:a", None),
        ("U:0-3", None),
        ("U:3-1", None),
        ("U:1-2-3", None),
        ("U:A:1", None),
        ("U:abcdefghijklmnopqrstuvwxyz0123456:1", None),
        ("U:18446744073709551615", None),
        ("24bc7850:1", None),
        ("0-1-56", None),
    ];
    for (text, want) in cases {
        let text = text.replace('U', UUID);
        let set = MySqlGtids::parse(&text).ok().map(|set| set.render());
        assert_eq!(set, want.map(|w| w.replace('U', UUID)), "{text}");
    }
}

#[test]
fn single_gtids_by_table() {
    for (text, want) in [
        ("U:56", Some(("", 56))),
        ("U:mysqlsh:56", Some(("mysqlsh", 56))),
        ("U:0", None),
        ("U:1-5", None),
        ("U:mysqlsh", None),
        ("U:a:b:5", None),
        ("56", None),
    ] {
        let text = text.replace('U', UUID);
        let read = mysql_gtid(&text);
        let want = want.map(|(tag, number)| (tag.to_owned(), number));
        let named = read.as_ref().map(|(s, n)| (s.tag.to_string(), *n));
        assert_eq!(named, want, "{text}");
        if let Some((source, number)) = read {
            assert_eq!(format!("{}:{number}", source.render()), text);
        }
    }
}

#[test]
fn a_tag_is_another_source() {
    let ours = MySqlGtids::parse(&format!("{UUID}:1-9:a:1-3")).unwrap();
    let (plain, tagged) = (
        MySqlSource::parse(UUID).unwrap(),
        MySqlSource::parse(&format!("{UUID}:a")).unwrap(),
    );
    assert!(ours.contains(&plain, 9) && !ours.contains(&tagged, 9));
    let theirs = MySqlGtids::parse(&format!("{UUID}:5-10:a:3-7")).unwrap();
    assert_eq!((ours.lacks(&theirs), theirs.lacks(&ours)), (5, 6));
    let sids = ours.sids();
    assert_eq!(
        sids[1].tag().map(|tag| tag.as_str().to_owned()).as_deref(),
        Some("a")
    );
    assert_eq!(
        (sids[0].intervals()[0].start(), sids[0].intervals()[0].end()),
        (1, 10)
    );
}

#[test]
fn intervals_join_as_a_plain_set_does() {
    let source = MySqlSource::parse(UUID).unwrap();
    let (mut set, mut model) = (MySqlGtids::default(), BTreeSet::new());
    // A walk that comes by every kind of neighbourhood; 37 is prime to 101.
    for step in 0..101_u64 {
        let (start, length) = (step * 37 % 101 + 1, step % 4);
        set.add_interval(&source, start, start + length);
        model.extend(start..=start + length);
        let listed: BTreeSet<u64> = set.intervals().flat_map(|(_, s, e)| s..=e).collect();
        assert_eq!(listed, model, "after {step}");
        let ends: Vec<_> = set.intervals().map(|(_, s, e)| (s, e)).collect();
        assert!(ends.windows(2).all(|w| w[0].1 + 1 < w[1].0), "{ends:?}");
    }
}
