//! A keyed log keeps items in order of arrival, with a chain per key. Windows and pairs
//! remember with it: adding, finding by key and forgetting the oldest all cost the same,
//! however much is kept.

use ahash::AHashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// The arrival time of items that came after the newest watermark. It is known no better
/// than the next one, and until then it can be neither late nor old.
pub const UNTIMED_US: i64 = i64::MAX;

#[derive(Debug, Clone)]
pub struct KeyedItem<T> {
    pub key: Arc<str>,
    /// The same key's previous item.
    earlier: Option<u64>,
    /// Logical time of arrival, in microseconds.
    pub at_us: i64,
    pub position: Arc<str>,
    pub value: T,
}

impl<T> KeyedItem<T> {
    /// Whether `span_us` has passed since the arrival, by a clock that shows `now_us`.
    pub fn is_past(&self, span_us: i64, now_us: i64) -> bool {
        self.at_us.saturating_add(span_us) <= now_us
    }
}

/// Items of one chunk. A frozen log shares its chunks; one that is written to afterwards is
/// copied first.
const CHUNK_ITEMS: usize = 256;

/// Items in chunks, oldest first; ids are consecutive.
#[derive(Debug, Clone)]
pub struct LogItems<T> {
    /// Full ones, but for the last.
    chunks: VecDeque<Arc<Vec<KeyedItem<T>>>>,
    /// Id of the first chunk's first item, which may be gone already.
    base: u64,
    /// Id of the first item.
    first: u64,
    /// Id of the next item.
    end: u64,
    /// Id of the first item whose arrival time is not yet known.
    untimed: u64,
}

impl<T> Default for LogItems<T> {
    fn default() -> Self {
        LogItems {
            chunks: VecDeque::new(),
            base: 0,
            first: 0,
            end: 0,
            untimed: 0,
        }
    }
}

impl<T> LogItems<T> {
    /// Ids of the items.
    pub fn ids(&self) -> std::ops::Range<u64> {
        self.first..self.end
    }

    /// Id of the first item whose arrival time is not yet known.
    pub fn untimed(&self) -> u64 {
        self.untimed
    }

    pub fn get(&self, id: u64) -> Option<&KeyedItem<T>> {
        let (chunk, at) = self.place(id)?;
        self.chunks.get(chunk)?.get(at)
    }

    fn place(&self, id: u64) -> Option<(usize, usize)> {
        if !self.ids().contains(&id) {
            return None;
        }
        let at = usize::try_from(id - self.base).ok()?;
        Some((at / CHUNK_ITEMS, at % CHUNK_ITEMS))
    }

    /// The first chunk and the id of its first item, taken out of a frozen log: what is
    /// written down is freed.
    pub fn take_chunk(&mut self) -> Option<(u64, Arc<Vec<KeyedItem<T>>>)> {
        let chunk = self.chunks.pop_front()?;
        let id = self.base;
        self.base += chunk.len() as u64;
        Some((id, chunk))
    }
}

/// Items and the newest of each key.
#[derive(Debug)]
pub struct KeyedLog<T> {
    items: LogItems<T>,
    newest: AHashMap<Arc<str>, u64>,
}

impl<T> Default for KeyedLog<T> {
    fn default() -> Self {
        KeyedLog {
            items: LogItems::default(),
            newest: AHashMap::new(),
        }
    }
}

impl<T: Clone> KeyedLog<T> {
    /// A log whose first item will have the id `first`.
    pub fn beginning_at(first: u64) -> KeyedLog<T> {
        let items = LogItems {
            base: first,
            first,
            end: first,
            untimed: first,
            ..LogItems::default()
        };
        KeyedLog {
            items,
            newest: AHashMap::new(),
        }
    }

    /// All items, as they are now: nothing is copied.
    pub fn freeze(&self) -> LogItems<T> {
        self.items.clone()
    }

    pub fn len(&self) -> usize {
        // As many as fit memory.
        usize::try_from(self.items.end - self.items.first).unwrap_or(usize::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn front(&self) -> Option<(u64, &KeyedItem<T>)> {
        let first = self.items.first;
        self.get(first).map(|item| (first, item))
    }

    /// When the oldest item came that is kept; [`UNTIMED_US`] if none is.
    pub fn oldest_us(&self) -> i64 {
        self.front().map_or(UNTIMED_US, |(_, item)| item.at_us)
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        let items = self.items.ids().filter_map(|id| self.get(id));
        items.map(|item| &item.value)
    }

    pub fn get(&self, id: u64) -> Option<&KeyedItem<T>> {
        self.items.get(id)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut KeyedItem<T>> {
        let (chunk, at) = self.items.place(id)?;
        Arc::make_mut(self.items.chunks.get_mut(chunk)?).get_mut(at)
    }

    /// Ids under `key`, newest first, at most `max`.
    pub fn chain(&self, key: &str, max: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        let mut next = self.newest.get(key).copied();
        while let Some((id, item)) = next.and_then(|id| Some((id, self.get(id)?))) {
            if ids.len() == max {
                break;
            }
            ids.push(id);
            next = item.earlier;
        }
        ids
    }

    pub fn push(&mut self, key: Arc<str>, position: Arc<str>, value: T) -> u64 {
        self.push_timed(key, position, UNTIMED_US, value)
    }

    /// Appends an item as it was written down.
    pub fn push_timed(&mut self, key: Arc<str>, position: Arc<str>, at_us: i64, value: T) -> u64 {
        let id = self.items.end;
        let earlier = self.newest.insert(key.clone(), id);
        let item = KeyedItem {
            key,
            earlier,
            at_us,
            position,
            value,
        };
        let is_full = |chunk: &Arc<Vec<KeyedItem<T>>>| chunk.len() == CHUNK_ITEMS;
        match self.items.chunks.back_mut().filter(|chunk| !is_full(chunk)) {
            Some(chunk) => Arc::make_mut(chunk).push(item),
            None => self.items.chunks.push_back(Arc::new(vec![item])),
        }
        self.items.end += 1;
        id
    }

    /// The oldest item goes.
    pub fn pop(&mut self) {
        let first = self.items.first;
        let Some(item) = self.items.get(first) else {
            return;
        };
        if self.newest.get(&item.key) == Some(&first) {
            let key = Arc::clone(&item.key);
            self.newest.remove(&key);
        }
        self.items.first += 1;
        self.items.untimed = self.items.untimed.max(self.items.first);
        if self.items.first - self.items.base >= CHUNK_ITEMS as u64 {
            self.items.chunks.pop_front();
            self.items.base += CHUNK_ITEMS as u64;
        }
    }

    /// Everything that arrived since the last watermark arrived at this one.
    pub fn time(&mut self, now_us: i64) {
        while self.items.untimed < self.items.end {
            if let Some(item) = self.get_mut(self.items.untimed) {
                item.at_us = now_us;
            }
            self.items.untimed += 1;
        }
    }

    /// Times of items before `untimed` are known: they were written down.
    pub fn timed_until(&mut self, untimed: u64) {
        self.items.untimed = untimed.clamp(self.items.first, self.items.end);
    }
}
