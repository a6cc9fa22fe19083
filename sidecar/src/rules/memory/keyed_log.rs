//! A keyed log keeps items in order of arrival, with a chain per key. Windows and pairs
//! remember with it: adding, finding by key and forgetting the oldest all cost the same,
//! however much is kept.

use ahash::AHashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// The arrival time of items that came after the newest watermark. It is known no better
/// than the next one, and until then it can be neither late nor old.
pub const UNTIMED_US: i64 = i64::MAX;

#[derive(Debug)]
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

#[derive(Debug)]
pub struct KeyedLog<T> {
    items: VecDeque<KeyedItem<T>>,
    /// Id of the first item; ids are consecutive.
    first: u64,
    /// Id of the first item whose arrival time is not yet known.
    untimed: u64,
    newest: AHashMap<Arc<str>, u64>,
}

impl<T> Default for KeyedLog<T> {
    fn default() -> Self {
        KeyedLog {
            items: VecDeque::new(),
            first: 0,
            untimed: 0,
            newest: AHashMap::new(),
        }
    }
}

impl<T> KeyedLog<T> {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id that the next item gets.
    pub fn next_id(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    pub fn front(&self) -> Option<(u64, &KeyedItem<T>)> {
        self.items.front().map(|item| (self.first, item))
    }

    /// When the oldest item came that is kept; [`UNTIMED_US`] if none is.
    pub fn oldest_us(&self) -> i64 {
        self.front().map_or(UNTIMED_US, |(_, item)| item.at_us)
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|item| &item.value)
    }

    /// Items with their ids, oldest first.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &T)> {
        (self.first..).zip(self.values())
    }

    pub fn get(&self, id: u64) -> Option<&KeyedItem<T>> {
        self.items
            .get(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut KeyedItem<T>> {
        self.items
            .get_mut(usize::try_from(id.checked_sub(self.first)?).ok()?)
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
        let id = self.first + self.items.len() as u64;
        let earlier = self.newest.insert(key.clone(), id);
        self.items.push_back(KeyedItem {
            key,
            earlier,
            at_us: UNTIMED_US,
            position,
            value,
        });
        id
    }

    pub fn pop(&mut self) -> Option<KeyedItem<T>> {
        let item = self.items.pop_front()?;
        if self.newest.get(&item.key) == Some(&self.first) {
            self.newest.remove(&item.key);
        }
        self.first += 1;
        self.untimed = self.untimed.max(self.first);
        Some(item)
    }

    /// Everything that arrived since the last watermark arrived at this one.
    pub fn time(&mut self, now_us: i64) {
        let end = self.first + self.items.len() as u64;
        while self.untimed < end {
            let id = self.untimed;
            if let Some(item) = self.get_mut(id) {
                item.at_us = now_us;
            }
            self.untimed += 1;
        }
    }
}
