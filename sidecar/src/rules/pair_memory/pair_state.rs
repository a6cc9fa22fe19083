//! State of a pair rule: frozen, written and read back.

use crate::rules::frozen::state_frames::{FRAME_BYTES, FrameSink, hand_on};
use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::keyed_log::{KeyedItem, KeyedLog, LogItems};
use crate::rules::memory::paired_item::PairedItem;
use crate::rules::pair_memory::overflow::PairOverflow;
use crate::rules::pair_memory::{KeptSide, PairMemory, PairState};
use crate::stream::change::TableSchema;
use crate::stream::value_codec::{FrameNames, put_event, put_maybe, put_maybe_text};
use crate::stream::wire::{ByteReader, put_number, put_signed, put_text};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Halves of a pair rule as they were at one moment.
#[derive(Debug)]
pub struct FrozenPairs {
    head: Vec<u8>,
    logs: [LogItems<KeptSide>; 2],
}

impl PairMemory {
    /// The memory as it is now: no half is copied but what is written to afterwards.
    pub fn freeze(&self) -> FrozenPairs {
        let mut head = Vec::new();
        put_signed(&mut head, self.gap_until_us);
        head.push(u8::from(self.terms.hold));
        for side in [0, 1] {
            let log = self.logs[side].freeze();
            put_number(&mut head, self.held_below[side]);
            put_number(&mut head, log.ids().start);
            put_number(&mut head, log.untimed());
            put_number(&mut head, self.undecided[side]);
            put_signed(&mut head, self.forgotten_us[side]);
            head.push(u8::from(self.lags[side]));
            self.own[side]
                .iter()
                .for_each(|us| put_maybe(&mut head, *us));
            put_number(&mut head, self.due[side].len() as u64);
            self.due[side]
                .iter()
                .for_each(|id| put_number(&mut head, *id));
        }
        put_maybe(&mut head, self.full.said_until_us);
        put_maybe(&mut head, self.full.until_us);
        head.push(u8::from(self.full.untimed));
        put_number(&mut head, self.full.stopped.len() as u64);
        let stopped = self.full.stopped.iter();
        stopped.for_each(|account| put_text(&mut head, account));
        FrozenPairs {
            head,
            logs: [0, 1].map(|side: usize| self.logs[side].freeze()),
        }
    }

    /// Takes over what [`FrozenPairs::write`] wrote, into an empty memory of the same
    /// trigger; what waits holds its account's money again. None if it is not that.
    pub fn restore<'a>(
        &mut self,
        holds: &mut AccountHolds,
        mut frames: impl Iterator<Item = &'a [u8]>,
    ) -> Option<()> {
        let mut head = ByteReader(frames.next()?);
        self.gap_until_us = head.signed()?;
        let held = head.flag()?;
        let mut untimed = [0; 2];
        for side in [0, 1] {
            let held_below = head.number()?;
            // Of a mode that held, everything that waits holds.
            self.held_below[side] = if held { u64::MAX } else { held_below };
            self.logs[side] = KeyedLog::beginning_at(head.number()?);
            untimed[side] = head.number()?;
            self.undecided[side] = head.number()?;
            self.forgotten_us[side] = head.signed()?;
            self.lags[side] = head.flag()?;
            self.own[side] = [head.maybe()?, head.maybe()?];
            let due = (0..head.size()?).map(|_| head.number());
            self.due[side] = due.collect::<Option<VecDeque<u64>>>()?;
        }
        self.full = PairOverflow {
            said_until_us: head.maybe()?,
            until_us: head.maybe()?,
            untimed: head.flag()?,
            ..PairOverflow::default()
        };
        for _ in 0..head.size()? {
            self.full.stopped.insert(head.text()?.into());
        }
        let mut tables = Vec::new();
        for frame in frames {
            self.restore_frame(holds, frame, &mut tables)?;
        }
        for side in [0, 1] {
            self.logs[side].timed_until(untimed[side]);
            self.held_below[side] = match self.terms.hold {
                true => 0,
                false => self.held_below[side].min(self.logs[side].next_id()),
            };
        }
        Some(())
    }

    fn restore_frame(
        &mut self,
        holds: &mut AccountHolds,
        frame: &[u8],
        tables: &mut Vec<Arc<TableSchema>>,
    ) -> Option<()> {
        let (mut bytes, mut names) = (ByteReader(frame), FrameNames::default());
        let side = usize::from(bytes.flag()?);
        while !bytes.is_empty() {
            let key: Arc<str> = bytes.text()?.into();
            let position = names.position(&mut bytes)?;
            let at_us = bytes.signed()?;
            let kept = read_side(&mut bytes, &mut names, tables)?;
            if kept.state == PairState::Waiting && self.terms.require.of(side) {
                self.open += 1;
                if self.holds(side, self.logs[side].next_id()) {
                    holds.open(kept.paired.account());
                }
            }
            self.bytes += kept.bytes(&key);
            self.logs[side].push_timed(key, position, at_us, kept);
        }
        Some(())
    }
}

fn read_side(
    bytes: &mut ByteReader<'_>,
    names: &mut FrameNames,
    tables: &mut Vec<Arc<TableSchema>>,
) -> Option<KeptSide> {
    let state = [PairState::Waiting, PairState::Met, PairState::Missed]
        .into_iter()
        .nth(usize::from(bytes.byte()?))?;
    Some(KeptSide {
        state,
        client: bytes.maybe_text()?.map(Into::into),
        compared: bytes.maybe()?.map(i64::cast_unsigned),
        forgotten_us: bytes.signed()?,
        paired: match bytes.flag()? {
            true => {
                let number = u32::try_from(bytes.number()?).ok()?;
                PairedItem::Row(Arc::new(names.row(bytes, tables)?), number)
            }
            false => PairedItem::Event(Arc::new(bytes.event()?)),
        },
    })
}

fn put_side(out: &mut Vec<u8>, names: &mut FrameNames, item: &KeyedItem<KeptSide>) {
    put_text(out, &item.key);
    names.put_position(out, &item.position);
    put_signed(out, item.at_us);
    let kept = &item.value;
    out.push(match kept.state {
        PairState::Waiting => 0,
        PairState::Met => 1,
        PairState::Missed => 2,
    });
    put_maybe_text(out, kept.client.as_deref());
    put_maybe(out, kept.compared.map(u64::cast_signed));
    put_signed(out, kept.forgotten_us);
    out.push(u8::from(matches!(kept.paired, PairedItem::Row(..))));
    match &kept.paired {
        PairedItem::Row(change, number) => {
            put_number(out, u64::from(*number));
            names.put_row(out, change);
        }
        PairedItem::Event(event) => put_event(out, event),
    }
}

impl FrozenPairs {
    /// Writes it, chunk by chunk; each is freed once it is written.
    pub fn write(self, out: &mut dyn FrameSink) -> io::Result<()> {
        out.frame(&self.head)?;
        for (side, mut log) in self.logs.into_iter().enumerate() {
            let ids = log.ids();
            let (mut frame, mut names) = (Vec::new(), FrameNames::default());
            while let Some((first, chunk)) = log.take_chunk() {
                for (_, item) in (first..)
                    .zip(chunk.iter())
                    .filter(|(id, _)| ids.contains(id))
                {
                    if frame.is_empty() {
                        frame.push(u8::from(side == 1));
                        names = FrameNames::default();
                    }
                    put_side(&mut frame, &mut names, item);
                    hand_on(out, &mut frame, FRAME_BYTES)?;
                }
            }
            hand_on(out, &mut frame, 0)?;
        }
        out.frame(&[])
    }
}
