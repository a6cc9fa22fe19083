//! State of a window: frozen, written and read back.

use crate::rules::frozen::sharded_map::ShardedMap;
use crate::rules::frozen::state_frames::{FRAME_BYTES, FrameSink, hand_on};
use crate::rules::memory::arrival_times::ArrivalTimes;
use crate::rules::memory::key_window::KeyWindow;
use crate::rules::memory::window_memory::WindowMemory;
use crate::stream::value_codec::{FrameNames, put_maybe};
use crate::stream::wire::{ByteReader, put_number, put_signed, put_text};
use std::io;

/// A window as it was at one moment.
#[derive(Debug)]
pub struct FrozenWindow {
    head: Vec<u8>,
    keys: ShardedMap<KeyWindow>,
}

impl WindowMemory {
    /// The window as it is now: nothing is copied but what is written to afterwards.
    pub fn freeze(&self) -> FrozenWindow {
        let mut head = Vec::new();
        self.times.put(&mut head);
        put_number(&mut head, self.bytes as u64);
        put_number(&mut head, self.next_shard as u64);
        put_signed(&mut head, self.due_us);
        put_maybe(&mut head, self.short_until_us);
        head.extend([u8::from(self.begins_late), u8::from(self.keeps_values())]);
        FrozenWindow {
            head,
            keys: self.keys.clone(),
        }
    }

    /// Takes over what [`FrozenWindow::write`] wrote, into an empty memory of the same
    /// trigger. None if it is not that.
    pub fn restore<'a>(&mut self, mut frames: impl Iterator<Item = &'a [u8]>) -> Option<()> {
        let mut head = ByteReader(frames.next()?);
        self.times = ArrivalTimes::read(&mut head)?;
        self.bytes = head.size()?;
        self.next_shard = head.size()?;
        self.due_us = head.signed()?;
        self.short_until_us = head.maybe()?;
        self.begins_late = head.flag()?;
        let kept_values = head.flag()?;
        for frame in frames {
            let (mut bytes, mut names) = (ByteReader(frame), FrameNames::default());
            while !bytes.is_empty() {
                let key = bytes.text()?.into();
                let window = KeyWindow::read(&mut bytes, &mut names)?;
                self.keys.insert(key, window);
            }
        }
        // The code asks for more than was kept.
        if self.keeps_values() && !kept_values {
            self.begin_anew();
        }
        Some(())
    }
}

impl FrozenWindow {
    /// Writes it, shard by shard; each is freed once it is written.
    pub fn write(mut self, out: &mut dyn FrameSink) -> io::Result<()> {
        out.frame(&self.head)?;
        let (mut frame, mut names) = (Vec::new(), FrameNames::default());
        for shard in self.keys.take_shards() {
            for (key, window) in shard.iter() {
                put_text(&mut frame, key);
                window.put(&mut frame, &mut names);
                if hand_on(out, &mut frame, FRAME_BYTES)? {
                    names = FrameNames::default();
                }
            }
        }
        hand_on(out, &mut frame, 0)?;
        out.frame(&[])
    }
}
