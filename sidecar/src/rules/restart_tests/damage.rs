//! State that is not as it was written: refused as a whole, never taken in part.

use crate::rules::frozen::state_frames::StateSections;
use crate::rules::restart_tests::stream::{odd_rules, random_inputs};
use crate::rules::restart_tests::{said, set_of, team};
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::text::files::RuleFiles;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// Bytes changed at random under the MAC: nothing panics, whatever is read.
#[test]
fn changed_bytes_never_panic() {
    let set = set_of(&odd_rules(RuleFiles::default()));
    let mut dice = StdRng::seed_from_u64(5);
    let mut whole = team(&set, 1);
    said(&mut whole, &random_inputs(&mut dice, 400));
    let mut bytes = Vec::new();
    whole.freeze().unwrap().write(&mut bytes).unwrap();
    let mut refused = 0;
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        let at = dice.random_range(0..damaged.len());
        damaged[at] ^= 1 << dice.random_range(0..8);
        let end = damaged.len();
        let Some(sections) = StateSections::cut(damaged.into(), 0, end) else {
            refused += 1;
            continue;
        };
        let all = vec![true; set.rules().count()];
        let mut evaluator = Evaluator::build(Arc::clone(&set), RuleSelection::Every, all);
        refused += usize::from(evaluator.restore(&sections).is_err());
    }
    assert!(refused > 0);
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        let torn = Arc::new(bytes[..cut].to_vec());
        let whole = StateSections::cut(torn, 0, cut).is_some_and(|sections| {
            let all = vec![true; set.rules().count()];
            let mut evaluator = Evaluator::build(Arc::clone(&set), RuleSelection::Every, all);
            evaluator.restore(&sections).is_ok()
        });
        assert!(!whole, "cut at {cut}");
    }
}
