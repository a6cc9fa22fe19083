//! The memory of pairs: two halves, rows or events, that must say the same, and perhaps
//! must both come.
//!
//! ```text
//!  half arrives     its own next watermark
//!        *................W1
//!  its   |                |<------ within_us ------>|
//!  source|                |<--------------- keep_us --------------->|
//!  ------+----------------+-------------------------+---------------+------> time
//!        | untimed        | at_us = W1              | deadline      | forgotten
//!  other |                                          |
//!  source+--------*---------------------------------+--W2------------------>
//!                 partner arrives: `check`             W2 >= deadline: `missing`
//!
//!  logs[side], oldest first:
//!  | deadline passed: met, missed | waiting or met     | untimed      |
//!  ^ front                        ^ undecided[side]    ^ newest W     ^ back
//! ```
//!
//! - A half that arrives looks for partners under its key in the other log. It compares
//!   itself with those that wait, or with the newest (`arrive`); with `delay_us` it is
//!   compared later, once both sources have passed that time (`compare_due`).
//! - A half's time of arrival is the next watermark of its own source (W1), than which it
//!   can't be later. Until then it is untimed: neither late nor old.
//! - A half is missed once the watermark of the other source (W2) has passed W1 +
//!   `within_us` (`deadline`): all that could have been its partner has been delivered by
//!   then. So there is no false alarm by construction: a source that lags makes the rule
//!   wait, not speak.
//! - With `per = "client"` halves of two clients don't meet; one that names none becomes
//!   the one's whose half for the same account it meets first (`clients`).
//! - Halves whose partner may lie outside of what this run reads are not judged
//!   (`judgement`), and those that a full log forgot are said to be unchecked (`overflow`).

pub mod arrive;
pub mod clients;
pub mod compare_due;
pub mod deadline;
pub mod forget;
pub mod holds;
pub mod judgement;
pub mod overflow;
pub mod pair_state;
pub mod terms;

use crate::rules::memory::keyed_log::KeyedLog;
use crate::rules::memory::paired_item::PairedItem;
use crate::rules::pair_memory::overflow::PairOverflow;
use crate::rules::pair_memory::terms::PairTerms;
use std::collections::VecDeque;

/// Bytes that a half takes in its log and the index, without its key and what it is.
const SIDE_BYTES: usize = 220;

/// The state of a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PairState {
    Waiting,
    Met,
    /// The rule was told that its partner is missing.
    Missed,
}

/// A half that is kept.
#[derive(Debug, Clone)]
pub struct KeptSide {
    paired: PairedItem,
    state: PairState,
    /// Client of the half, where the rule asks: of one that names none, the client of the
    /// first partner of the same account that it met.
    client: Option<Box<str>>,
    /// The last partner that it was compared with, after a delay.
    compared: Option<u64>,
    /// When it came, partners that had come until then might have been forgotten.
    forgotten_us: i64,
}

impl KeptSide {
    /// Memory that it takes under its key, about, in bytes.
    fn bytes(&self, key: &str) -> usize {
        SIDE_BYTES + key.len() + self.paired.bytes()
    }
}

/// All halves that one rule keeps.
#[derive(Debug)]
pub struct PairMemory {
    terms: PairTerms,
    logs: [KeyedLog<KeptSide>; 2],
    /// For each side, the first id whose deadline has not passed.
    undecided: [u64; 2],
    /// Required sides that wait.
    open: usize,
    /// Partners of what arrived before this may have been forgotten, so that
    /// nothing can be said to be missing.
    gap_until_us: i64,
    /// For each side, when the newest one came that was kept for its time.
    forgotten_us: [i64; 2],
    full: PairOverflow,
    /// For each side, what has met and is compared after the delay, by id.
    due: [VecDeque<u64>; 2],
    /// Memory of all halves, about, and the most that it may be, in bytes.
    bytes: usize,
    max_bytes: usize,
    /// For each side, whether its partners' source lags, which was said.
    lags: [bool; 2],
    /// For each side, its own source's newest watermark and the one before. A lag is
    /// told by the one before: after a pause of all sources the first one to come is
    /// far ahead, and the other comes at once.
    own: [[Option<i64>; 2]; 2],
}

impl PairMemory {
    /// `gap_until_us`: see the field; for a rule that was not there before.
    pub fn new(terms: PairTerms, now_us: Option<i64>, max_bytes: usize) -> Self {
        let gap_until_us = now_us.map_or(i64::MIN, |now| now.saturating_add(terms.keep_us));
        PairMemory {
            terms,
            logs: Default::default(),
            undecided: [0; 2],
            open: 0,
            gap_until_us,
            full: PairOverflow::default(),
            forgotten_us: [i64::MIN; 2],
            due: Default::default(),
            bytes: 0,
            max_bytes,
            lags: [false; 2],
            own: [[None; 2]; 2],
        }
    }

    /// Whether a partner's source lags behind, so that nothing can be said.
    pub fn lags(&self) -> bool {
        self.lags.contains(&true)
    }

    /// Required sides that wait for their partner.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Memory that is kept, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest half came that is kept; `UNTIMED_US` if none is.
    pub fn oldest_us(&self) -> i64 {
        let [left, right] = &self.logs;
        left.oldest_us().min(right.oldest_us())
    }

    /// Inputs are missing before `at_us`: partners of what came until then, or comes
    /// soon after, may be among them.
    pub fn mark_gap(&mut self, at_us: i64) {
        self.gap_until_us = self
            .gap_until_us
            .max(at_us.saturating_add(self.terms.keep_us));
    }
}
