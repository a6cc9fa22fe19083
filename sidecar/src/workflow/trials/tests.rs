use crate::workflow::trials::{RuleTrial, TrialGap, TrialGapCause};

#[test]
fn only_evaluated_time_counts() {
    let mut trial = RuleTrial::begins("r", "h", 1_000);
    trial.evaluated(1_500);
    trial.misses(1_600, TrialGapCause::QueueFull);
    trial.misses(1_700, TrialGapCause::OverBudget);
    trial.evaluated(2_000);
    trial.evaluated(2_100);
    assert_eq!((trial.evaluated_us, trial.gaps), (600, 1));
    let gap = TrialGap {
        from_us: 1_500,
        until_us: Some(2_000),
        cause: TrialGapCause::QueueFull,
    };
    assert_eq!(trial.gap, Some(gap), "from the last that was seen");
    assert_eq!(trial.gap_of_load(1_999), Some(gap));
    assert_eq!(trial.gap_of_load(2_000), None);
}

#[test]
fn a_life_after_another_has_a_gap_between() {
    let mut earlier = RuleTrial::begins("r", "h", 1_000);
    earlier.evaluated(1_500);
    let mut now = RuleTrial::begins("r", "h", 9_000);
    now.evaluated(9_200);
    let whole = now.after(Some(&earlier));
    assert_eq!(
        (whole.since_us, whole.until_us, whole.evaluated_us),
        (1_000, 9_200, 700)
    );
    let gap = whole.gap.unwrap();
    assert_eq!((gap.from_us, gap.until_us), (1_500, Some(9_000)));
    assert_eq!(whole.gap_of_load(0), None, "a restart is not of load");
    assert_eq!(now.after(None), now);
}
