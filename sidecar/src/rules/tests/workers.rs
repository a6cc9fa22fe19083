//! Several workers say what one says: the cases of all rules as one stream, and
//! rules that fail.

use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::stream::workers::RuleWorkers;
use crate::rules::testing::case_file::CasesFile;
use crate::rules::text::files::{RuleFile, RuleFiles};
use crate::rules::text::rule_mode::RuleMode;
use crate::stream::change::{RuleInput, SourceKind};
use sluice_contract::settings::Secret;
use std::path::Path;
use std::sync::Arc;

const PROVENANCE_KEY: &str = "a key for this test only";

/// Every case of the shipped rules, one after the other, three times over: windows
/// and pairs of one case meet those of others.
fn stream(files: &RuleFiles) -> Vec<RuleInput> {
    let key = Secret::new(PROVENANCE_KEY);
    let mut inputs = Vec::new();
    let mut number = 0;
    for _ in 0..3 {
        for file in &files.rules {
            let cases: CasesFile = toml::from_str(&file.cases).unwrap();
            for step in cases.case.iter().flat_map(|case| &case.step) {
                number += 1;
                // Data at rest is no part of a stream.
                let streamed = |input: &RuleInput| !matches!(input, RuleInput::AtRest(_));
                inputs.extend(
                    step.inputs(number, &key)
                        .unwrap()
                        .into_iter()
                        .filter(streamed),
                );
            }
        }
    }
    inputs
}

fn shipped() -> RuleFiles {
    RuleFiles::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")).unwrap()
}

/// Rules that fail: at every row, at every transaction, and without end. The last one meets
/// the bound on nested calls, which depends on nothing but its text; a loop would meet the
/// deadline or the bound on operations, whichever the machine reaches first.
fn with_bad_ones(mut files: RuleFiles) -> RuleFiles {
    let bad = [
        (
            "fails_at_rows",
            "[trigger]\non='row'\ntable='entry'\nops=['insert','update']",
            "fn check(row) { row.after.amount + 1 / 0 }",
        ),
        (
            "fails_at_all",
            "[trigger]\non='transaction'\ntables=['entry','orders']",
            "fn check(tx) { throw \"no\" }",
        ),
        (
            "never_ends",
            "[trigger]\non='event'\nevent='payment.succeeded'",
            "fn check(event) { check(event) }",
        ),
    ];
    for (id, trigger, body) in bad {
        let header = format!(
            "id='{id}'\nguards='x'\nkind='duplicate'\nseverity='minor'\nmode='trip'\nbreaker='cash_out/account'\nowner='x'\nrunbook='x'\n{trigger}"
        );
        let head: String = header.lines().map(|line| format!("//! {line}\n")).collect();
        files
            .rules
            .extend(RuleFiles::of(vec![(format!("{id}.rhai"), format!("{head}\n{body}\n"))]).rules);
    }
    files
}

/// All that can be asked of an evaluator after each batch.
fn findings_of(
    inputs: &[RuleInput],
    sets: &[Arc<RuleSet>; 2],
    workers: usize,
    selection: RuleSelection,
) -> Vec<String> {
    let mut team = RuleWorkers::new(Arc::clone(&sets[0]), workers, selection).unwrap();
    let mut said = Vec::new();
    for (turn, batch) in inputs.chunks(7).enumerate() {
        if turn % 20 == 19 {
            // The other set: some rules go, some come, some stay where they are.
            team.swap(Arc::clone(&sets[(turn / 20 + 1) % 2])).unwrap();
        }
        if turn == 33 {
            team.mark_gap().unwrap();
        }
        let mut out = Vec::new();
        batch
            .iter()
            .for_each(|input| team.evaluate(input, &mut out));
        team.flush(&mut out).unwrap();
        said.extend(out.iter().map(|finding| format!("{finding:?}")));
        let needs = [SourceKind::Binlog, SourceKind::Kafka].map(|source| team.needs_from(source));
        said.push(format!(
            "{turn} {:?} {:?} {} {:?}",
            team.errors(),
            team.holds(),
            team.open_pairs(),
            needs
        ));
    }
    said
}

#[test]
fn any_number_of_workers_says_the_same_in_the_same_order() {
    let files = with_bad_ones(shipped());
    let inputs = stream(&shipped());
    let mut fewer = files.clone();
    fewer
        .rules
        .retain(|rule| !rule.id.contains("paid") && !rule.id.contains("_at_rows"));
    fewer.rules.rotate_left(3);
    let sets = [files, fewer]
        .map(|files| Arc::new(RuleSet::build(&files, Secret::new(PROVENANCE_KEY)).unwrap()));
    let one = findings_of(&inputs, &sets, 1, RuleSelection::Every);
    let findings = one
        .iter()
        .filter(|line| line.starts_with("Finding"))
        .count();
    assert!(
        findings > 100,
        "only {findings} findings: the stream says too little"
    );
    for workers in [2, 3, 4, 16] {
        let many = findings_of(&inputs, &sets, workers, RuleSelection::Every);
        let differs = one.iter().zip(&many).find(|(one, many)| one != many);
        assert!(
            differs.is_none() && one.len() == many.len(),
            "{workers} workers: {differs:#?}"
        );
    }
}

/// A copy of every rule as a candidate, and of every rule under another name in shadow; and a
/// pair that waits for an hour, so that whoever heeds it reads further back.
fn with_shadow(files: &RuleFiles) -> RuleFiles {
    let copy = |file: &RuleFile, candidate: bool| {
        let id = match candidate {
            true => file.id.clone(),
            false => format!("{}_again", file.id),
        };
        let text = file
            .text
            .replace(&format!("\"{}\"", file.id), &format!("\"{id}\""));
        RuleFile {
            text: text.replace("_ms = 2000", "_ms = 3600000"),
            mode: Some(RuleMode::Shadow),
            id,
            candidate,
            ..file.clone()
        }
    };
    let mut all = files.clone();
    for file in &files.rules {
        all.rules.push(copy(file, true));
        all.rules.insert(0, copy(file, false));
    }
    all
}

#[test]
fn shadow_changes_nothing_of_what_is_armed() {
    let files = shipped();
    let inputs = stream(&files);
    let mut fewer = files.clone();
    fewer.rules.retain(|rule| !rule.id.contains("paid"));
    let build =
        |files: &RuleFiles| Arc::new(RuleSet::build(files, Secret::new(PROVENANCE_KEY)).unwrap());
    let alone = [build(&files), build(&fewer)];
    let both = [build(&with_shadow(&files)), build(&with_shadow(&fewer))];
    let wanted = findings_of(&inputs, &alone, 1, RuleSelection::Live);
    assert!(wanted.iter().any(|line| line.starts_with("Finding")));
    for workers in [1, 3] {
        let beside = findings_of(&inputs, &both, workers, RuleSelection::Armed);
        let differs = wanted.iter().zip(&beside).find(|(one, many)| one != many);
        assert!(
            differs.is_none() && wanted.len() == beside.len(),
            "{workers} workers: {differs:#?}"
        );
    }
}

#[test]
fn batches_in_flight_come_back_in_order() {
    let set = Arc::new(RuleSet::build(&shipped(), Secret::new(PROVENANCE_KEY)).unwrap());
    let inputs = stream(&shipped());
    let mut alone = Evaluator::build(
        Arc::clone(&set),
        RuleSelection::Every,
        vec![true; set.rules.len()],
    );
    let mut wanted = Vec::new();
    inputs
        .iter()
        .for_each(|input| alone.evaluate(input, &mut wanted));
    for workers in [1, 4] {
        let mut team = RuleWorkers::new(Arc::clone(&set), workers, RuleSelection::Every).unwrap();
        let mut found = Vec::new();
        for batch in inputs.chunks(50) {
            if team.in_flight() == crate::rules::stream::workers::MAX_BATCHES_AHEAD {
                found.extend(team.collect().unwrap().unwrap().found);
            }
            team.begin(&batch.into()).unwrap();
        }
        while let Some(batch) = team.collect().unwrap() {
            found.extend(batch.found);
        }
        let found: Vec<_> = found.into_iter().map(|found| found.finding).collect();
        assert!(found == wanted, "{workers} workers");
    }
}
