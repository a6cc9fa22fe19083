use super::*;

#[test]
fn trailing_heartbeats_are_not_relied_on() -> anyhow::Result<()> {
    let begin = GtidSet::parse(Flavour::MariaDb, "0-1-5,1-1-3")?;
    let mut required_position = RequiredPosition::from(&begin);
    let gtid = |sequence| Gtid::MariaDb {
        domain: 0,
        server: 2,
        sequence,
    };
    required_position.read(&gtid(6), true);
    required_position.read(&gtid(7), false);
    assert_eq!(
        required_position
            .of(Flavour::MariaDb, &begin)?
            .lacks(&GtidSet::parse(Flavour::MariaDb, "0-2-7,1-1-3")?),
        1
    );

    const UUID: &str = "24bc7850-2c16-11e6-a073-0242ac110001";
    let set = GtidSet::parse(Flavour::MySql, &format!("{UUID}:1-9"))?;
    let source = MySqlSource::parse(UUID).unwrap();
    let mut required_position = RequiredPosition::from(&set);
    for (number, is_required) in [(5, false), (6, true), (7, false), (9, false)] {
        let source = source.clone();
        required_position.read(&Gtid::MySql { source, number }, is_required);
    }
    assert_eq!(
        required_position.of(Flavour::MySql, &set)?.render(),
        format!("{UUID}:1-6:8")
    );
    Ok(())
}
