//! Restarts from written state: cut anywhere, what is found afterwards is what would have been
//! found without the cut.

mod damage;
mod modes;
mod stream;

use crate::rules::Evaluator;
use crate::rules::frozen::state_frames::StateSections;
use crate::rules::restart_tests::stream::{odd_rules, random_inputs, with_documented};
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::frozen_evaluator::FrozenEvaluator;
use crate::rules::stream::workers::RuleWorkers;
use crate::rules::tests::{key, shipped};
use crate::rules::text::files::RuleFiles;
use crate::stream::change::{RuleInput, SourceKind};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// Written state, cut into sections.
fn written(frozen: FrozenEvaluator) -> StateSections {
    let mut bytes = Vec::new();
    frozen.write(&mut bytes).unwrap();
    let end = bytes.len();
    StateSections::cut(bytes.into(), 0, end).unwrap()
}

/// Inputs of one batch: so the workers' state is asked for often.
const BATCH: usize = 16;

/// Everything that is said and asked after each batch of `inputs`.
fn said(team: &mut RuleWorkers, inputs: &[RuleInput]) -> Vec<String> {
    let mut said = Vec::new();
    for batch in inputs.chunks(BATCH) {
        let mut out = Vec::new();
        batch
            .iter()
            .for_each(|input| team.evaluate(input, &mut out));
        team.flush(&mut out).unwrap();
        said.extend(out.iter().map(|finding| format!("{finding:?}")));
        let needs = [SourceKind::Binlog, SourceKind::Kafka].map(|source| team.needs_from(source));
        said.push(format!(
            "{:?} {:?} {} {} {:?}",
            team.errors(),
            team.holds(),
            team.open_pairs(),
            team.lagging(),
            needs
        ));
    }
    said
}

/// All that is asked of the evaluators between batches.
fn state_of(team: &RuleWorkers) -> String {
    let needs = [SourceKind::Binlog, SourceKind::Kafka].map(|source| team.needs_from(source));
    let (holds, open, lagging) = (team.holds(), team.open_pairs(), team.lagging());
    format!("{holds:?} {open} {lagging} {needs:?}")
}

fn team(set: &Arc<RuleSet>, workers: usize) -> RuleWorkers {
    RuleWorkers::new(Arc::clone(set), workers, RuleSelection::Every).unwrap()
}

/// Cuts the stream at `cut`, with as many workers before and after.
fn cut_once(set: &Arc<RuleSet>, inputs: &[RuleInput], cut: usize, workers: [usize; 2], seed: u64) {
    let (before, after) = inputs.split_at(cut);
    let mut first = team(set, workers[0]);
    first.begins(None, None).unwrap();
    said(&mut first, before);
    let frozen = first.freeze().unwrap();
    let asked = state_of(&first);
    // It goes on: nothing of what was frozen may move with it.
    let wanted = said(&mut first, after);
    let mut second = team(set, workers[1]);
    let told = second.restore(&written(frozen)).unwrap();
    assert!(told.anew.is_empty(), "{told:?}");
    // Somebody asks before the first input: holds are published, and the begin of a replay.
    assert_eq!(
        state_of(&second),
        asked,
        "SLUICE_SEED={seed}, cut at {cut}, workers {workers:?}"
    );
    let got = said(&mut second, after);
    let differs = wanted.iter().zip(&got).find(|(one, other)| one != other);
    assert!(
        differs.is_none() && wanted.len() == got.len(),
        "SLUICE_SEED={seed}, cut at {cut} of {}, workers {workers:?}: {differs:#?}",
        inputs.len()
    );
}

/// The seed of the day, or that of `SLUICE_SEED`.
fn seed() -> u64 {
    let given = std::env::var("SLUICE_SEED").ok();
    given.map_or_else(rand::random, |seed| seed.parse().unwrap())
}

fn set_of(files: &RuleFiles) -> Arc<RuleSet> {
    Arc::new(RuleSet::build(files, key()).unwrap())
}

#[test]
fn a_restart_anywhere_finds_what_none_would_have_found() {
    let seed = seed();
    let set = set_of(&odd_rules(with_documented(
        RuleFiles::read(&shipped()).unwrap(),
    )));
    for turn in 0..6 {
        let mut dice = StdRng::seed_from_u64(seed.wrapping_add(turn));
        let inputs = random_inputs(&mut dice, 700);
        for _ in 0..2 {
            let cut = dice.random_range(0..inputs.len());
            let workers = [dice.random_range(1..4), dice.random_range(1..4)];
            cut_once(&set, &inputs, cut, workers, seed);
        }
    }
}

/// The stream says enough: all kinds of findings, busy keys and open pairs.
#[test]
fn the_random_stream_has_findings_of_every_odd_rule() {
    let set = set_of(&odd_rules(RuleFiles::default()));
    let mut one = team(&set, 1);
    let inputs = random_inputs(&mut StdRng::seed_from_u64(7), 3_000);
    let said = said(&mut one, &inputs).join("\n");
    for rule in set.rules() {
        assert!(said.contains(&rule.id), "{} says nothing", rule.id);
    }
    assert!(
        said.contains("Undetermined") && said.contains("missing"),
        "{said}"
    );
}

#[test]
fn a_rule_of_another_trigger_begins_anew_and_says_so() {
    let text = |span: u32| {
        let window = format!(
            "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"account_id\"]\nspan_ms = {span}\nkeep = \"amount\""
        );
        let body = "fn check(row, earlier) { violation(\"\", `${earlier.count}`, \"m\") }";
        RuleFiles::of(vec![(
            "w.rhai".to_owned(),
            crate::rules::tests::rule("w", &window, body),
        )])
    };
    let inputs = random_inputs(&mut StdRng::seed_from_u64(1), 200);
    let mut first = Evaluator::new(set_of(&text(60_000)));
    crate::rules::tests::run(&mut first, &inputs);
    let state = written(first.freeze());
    let mut same = Evaluator::new(set_of(&text(60_000)));
    assert_eq!(same.restore(&state).unwrap().restored, ["w"]);
    let mut other = Evaluator::new(set_of(&text(61_000)));
    assert_eq!(other.restore(&state).unwrap().anew, ["w"]);
    let more = random_inputs(&mut StdRng::seed_from_u64(2), 200);
    let found = crate::rules::tests::run(&mut other, &more);
    let said = found
        .iter()
        .filter(|f| f.message.contains("the window begins here"));
    assert_eq!(said.count(), 1, "once, not with each row");
}

/// Two workers, and nothing is evaluated after the restart: what is asked is as it was.
#[test]
fn restored_workers_answer_before_the_first_input() {
    let set = set_of(&odd_rules(RuleFiles::default()));
    let inputs = random_inputs(&mut StdRng::seed_from_u64(7), 600);
    let mut first = team(&set, 2);
    said(&mut first, &inputs);
    let asked = state_of(&first);
    assert!(
        first.open_pairs() > 0 && !first.holds().is_empty(),
        "{asked}"
    );
    let state = written(first.freeze().unwrap());
    for workers in [1, 2, 3] {
        let mut second = team(&set, workers);
        second.restore(&state).unwrap();
        assert_eq!(state_of(&second), asked, "{workers} workers");
    }
}
