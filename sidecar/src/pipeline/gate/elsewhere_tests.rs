use super::*;

#[test]
fn a_mark_waits_for_every_other_server() -> anyhow::Result<()> {
    let at = |text: &str| GtidSet::parse(Flavour::MariaDb, text);
    let (bell, seen, _rung) = EndOffsetRequests::new();
    let mut elsewhere = ServerGate::new(bell, vec![at("0-1-5")?, at("")?]);
    let beat = |n| ControlRow::Heartbeat { updated_us: n };
    elsewhere.wait(beat(1));
    assert_eq!(
        (seen.load(Ordering::Acquire), elsewhere.passed().len()),
        (1, 0)
    );
    elsewhere.answered(ServerEndOffsets {
        seen: 1,
        ends: vec![at("0-1-6")?, at("0-2-3")?],
    });
    elsewhere.wait(beat(2));
    elsewhere.reached(1, at("0-1-9")?);
    assert!(elsewhere.passed().is_empty());
    elsewhere.reached(2, at("0-2-3")?);
    assert_eq!(
        elsewhere.passed(),
        [beat(1)],
        "the second was not asked for yet"
    );
    elsewhere.answered(ServerEndOffsets {
        seen: 2,
        ends: vec![at("0-1-9")?, at("0-2-3")?],
    });
    assert_eq!(elsewhere.passed(), [beat(2)]);
    Ok(())
}
