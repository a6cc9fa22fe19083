use super::*;
use crate::stream::gtid::Flavour;
use std::sync::atomic::Ordering;

type TwoServerGate = SourceGate<Vec<GtidSet>, ControlRow>;

fn passed(gate: &mut TwoServerGate) -> Vec<ControlRow> {
    std::iter::from_fn(|| gate.pass_next())
        .flat_map(|passed| passed.items)
        .collect()
}

#[test]
fn a_mark_waits_for_every_other_server() -> anyhow::Result<()> {
    let at = |text: &str| GtidSet::parse(Flavour::MariaDb, text);
    let (requests, queue) = EndOffsetRequests::new();
    let mut gate: TwoServerGate = SourceGate::new(requests, vec![at("0-1-5")?, at("")?]);
    let beat = |n| ControlRow::Heartbeat { updated_us: n };
    let answer = |seen, ends| EndOffsets {
        seen,
        at_us: 0,
        ends,
    };
    gate.wait(beat(1));
    assert_eq!(
        (queue.seen.load(Ordering::Acquire), passed(&mut gate).len()),
        (1, 0)
    );
    gate.answered(answer(1, vec![at("0-1-6")?, at("0-2-3")?]));
    gate.wait(beat(2));
    gate.read_up_to_part(1, at("0-1-9")?);
    assert!(passed(&mut gate).is_empty());
    gate.read_up_to_part(2, at("0-2-3")?);
    assert_eq!(
        passed(&mut gate),
        [beat(1)],
        "the second was not asked for yet"
    );
    gate.answered(answer(2, vec![at("0-1-9")?, at("0-2-3")?]));
    assert_eq!(passed(&mut gate), [beat(2)]);
    Ok(())
}
