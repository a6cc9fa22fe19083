//! Rows that one key of a window has.

use crate::rules::memory::arrival_times::ArrivalTimes;
use crate::rules::views::window_totals::{MAX_ROWS_SHOWN, OlderRows, WindowRow};
use crate::rules::views::window_view::WindowView;
use crate::stream::value_codec::{FrameNames, put_value};
use crate::stream::wire::{ByteReader, put_number};
use std::sync::Arc;

/// Bytes that a key takes without its text, about; then of a row, a bucket and a value.
const KEY_BYTES: usize = 200;
const ROW_BYTES: usize = 80;
const BUCKET_BYTES: usize = 120;
const VALUE_BYTES: usize = 120;

/// Terms of a window, as its header and its code set them.
#[derive(Debug, Clone, Copy)]
pub struct WindowTerms {
    pub span_us: i64,
    /// Width of a bucket of older rows; 0: one watermark each.
    pub width_us: i64,
    /// Whether the rule asks for `distinct` or `seen`.
    pub keeps_values: bool,
}

/// Rows of one key. A clone shares them until either is written to.
#[derive(Debug, Clone, Default)]
pub struct KeyWindow {
    /// The newest, oldest first; [`MAX_ROWS_SHOWN`] at most.
    newest: Arc<Vec<WindowRow>>,
    older: Option<Arc<OlderRows>>,
}

impl KeyWindow {
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.older.is_none()
    }

    pub fn view(&self) -> WindowView {
        WindowView::new(&self.newest, self.older.as_ref())
    }

    /// Whether something of it came before `first`.
    pub fn has_past(&self, first: u64) -> bool {
        self.newest.first().is_some_and(|row| row.beat < first)
            || self.older.as_ref().is_some_and(|o| o.has_past(first))
    }

    /// Rows that came before `first` go.
    pub fn expire(&mut self, first: u64) {
        if let Some(older) = &mut self.older
            && older.has_past(first)
        {
            Arc::make_mut(older).expire(first);
            if older.count == 0 {
                self.older = None;
            }
        }
        let past = self.newest.partition_point(|row| row.beat < first);
        if past > 0 {
            Arc::make_mut(&mut self.newest).drain(..past);
        }
    }

    /// Keeps a row; the oldest that is shown goes to the older ones.
    pub fn add(&mut self, row: WindowRow, terms: &WindowTerms, times: &ArrivalTimes) {
        let newest = Arc::make_mut(&mut self.newest);
        if newest.len() == MAX_ROWS_SHOWN {
            let oldest = newest.remove(0);
            let slot = match terms.width_us {
                0 => i64::try_from(oldest.beat).unwrap_or(i64::MAX),
                width_us => times.earliest_us(oldest.beat).div_euclid(width_us),
            };
            let older = self.older.get_or_insert_default();
            Arc::make_mut(older).add(&oldest, slot, terms.keeps_values);
        } else if newest.len() == newest.capacity() {
            // Most keys have a row or two.
            let more = newest.len().max(1);
            newest.reserve_exact(more);
        }
        newest.push(row);
    }

    /// Memory that it takes, about, in bytes.
    pub fn bytes(&self) -> usize {
        let older = self.older.as_ref();
        let (buckets, values, old_texts) = older.map_or((0, 0, 0), |older| older.parts());
        let texts: usize = self.newest.iter().map(|row| row.value.text_bytes()).sum();
        KEY_BYTES
            + self.newest.len() * ROW_BYTES
            + buckets * BUCKET_BYTES
            + values * VALUE_BYTES
            + texts
            + old_texts
    }

    pub fn put(&self, out: &mut Vec<u8>, names: &mut FrameNames) {
        put_number(out, self.newest.len() as u64);
        for row in self.newest.iter() {
            put_number(out, row.beat);
            names.put_position(out, &row.position);
            put_value(out, &row.value);
        }
        out.push(u8::from(self.older.is_some()));
        self.older.iter().for_each(|older| older.put(out));
    }

    pub fn read(bytes: &mut ByteReader<'_>, names: &mut FrameNames) -> Option<KeyWindow> {
        let count = bytes.size().filter(|count| *count <= MAX_ROWS_SHOWN)?;
        let mut newest = Vec::with_capacity(count);
        for _ in 0..count {
            newest.push(WindowRow {
                beat: bytes.number()?,
                position: names.position(bytes)?,
                value: bytes.value()?,
            });
        }
        let older = match bytes.flag()? {
            true => Some(Arc::new(OlderRows::read(bytes)?)),
            false => None,
        };
        Some(KeyWindow {
            newest: Arc::new(newest),
            older,
        })
    }
}
