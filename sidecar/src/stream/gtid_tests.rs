use super::*;

const UUID: &str = "24bc7850-2c16-11e6-a073-0242ac110001";

#[test]
fn sets_by_table() {
    let cases = [
        (Flavour::MariaDb, "", true),
        (Flavour::MariaDb, "0-1-56", true),
        (Flavour::MariaDb, "0-1-56,1-2-3", true),
        (Flavour::MariaDb, "0-1", false),
        (Flavour::MariaDb, "0-1-56-9", false),
        (Flavour::MariaDb, "x", false),
        (
            Flavour::MySql,
            "24bc7850-2c16-11e6-a073-0242ac110001:1-5:7",
            true,
        ),
        (
            Flavour::MySql,
            "24bc7850-2c16-11e6-a073-0242ac110001",
            false,
        ),
        (
            Flavour::MySql,
            "24bc7850-2c16-11e6-a073-0242ac110001:tag:1",
            true,
        ),
        (Flavour::MySql, "24bc7850:1", false),
        (Flavour::MySql, "0-1-56", false),
    ];
    for (flavour, text, good) in cases {
        let parsed = GtidSet::parse(flavour, text);
        assert_eq!(parsed.is_ok(), good, "{flavour:?} {text}");
        if let Ok(set) = parsed {
            assert_eq!(set.render(), text);
        }
    }
}

#[test]
fn adding_moves_one_domain_and_contains_knows_it() -> anyhow::Result<()> {
    let mut set = GtidSet::parse(Flavour::MariaDb, "0-1-56,1-1-3")?;
    set.add(&Gtid::MariaDb {
        domain: 0,
        server: 2,
        sequence: 57,
    })?;
    assert_eq!(set.render(), "0-2-57,1-1-3");
    assert!(
        set.contains("0-1-56")
            && set.contains("1-1-3")
            && !set.contains("0-1-58")
            && !set.contains("2-1-1")
    );
    assert!(
        set.add(&Gtid::MySql {
            source: MySqlSource::parse(UUID).unwrap(),
            number: 1
        })
        .is_err()
    );
    let theirs = GtidSet::parse(Flavour::MariaDb, "0-2-60,1-1-2,5-1-4")?;
    assert_eq!(
        (set.lacks(&theirs), theirs.lacks(&set), set.lacks(&set)),
        (7, 1, 0)
    );
    Ok(())
}

#[test]
fn mysql_intervals_join_and_go_to_the_wire_half_open() -> anyhow::Result<()> {
    let mut set = GtidSet::parse(Flavour::MySql, &format!("{UUID}:1-5:7"))?;
    let source = MySqlSource::parse(UUID).unwrap();
    set.add(&Gtid::MySql { source, number: 6 })?;
    assert_eq!(set.render(), format!("{UUID}:1-7"));
    assert!(set.contains(&format!("{UUID}:6")) && !set.contains(&format!("{UUID}:8")));
    let theirs = GtidSet::parse(
        Flavour::MySql,
        &format!("{UUID}:3-9:12-13,00000000-0000-0000-0000-000000000000:1"),
    )?;
    assert_eq!((set.lacks(&theirs), theirs.lacks(&set)), (5, 2));
    let sids = set.sids();
    assert_eq!(
        (sids[0].intervals()[0].start(), sids[0].intervals()[0].end()),
        (1, 8)
    );
    Ok(())
}
