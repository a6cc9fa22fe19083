//! Triggers by kind: a file each holds its checks, its memory and its calls.

pub mod audit;
pub mod matching;
pub mod pair;
pub mod restart;
pub mod window;

use crate::rules::text::header::RuleMode;
use crate::rules::text::trigger_header::Trigger;
use crate::rules::trigger::pair::{PairMemory, PairTerms};
use crate::rules::trigger::window::WindowMemory;

/// What a rule remembers.
pub enum RuleMemory {
    None,
    Window(WindowMemory),
    Pairs(Box<PairMemory>),
}

impl RuleMemory {
    pub fn of(trigger: &Trigger, mode: RuleMode, now_us: Option<i64>) -> RuleMemory {
        match trigger {
            Trigger::Window { span_ms, first, .. } => {
                RuleMemory::Window(WindowMemory::new(*span_ms, *first))
            }
            _ => PairTerms::of(trigger, mode).map_or(RuleMemory::None, |terms| {
                RuleMemory::Pairs(Box::new(PairMemory::new(terms, now_us)))
            }),
        }
    }
}
