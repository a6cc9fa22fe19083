//! A map in shards that can be frozen: a frozen copy shares its shards, and a shard is
//! copied only when it is written to afterwards.

use ahash::{AHashMap, RandomState};
use std::sync::Arc;

/// Shards of one map: so many that copying one is short, however much is kept.
pub const SHARDS: usize = 1_024;

/// A part of the map.
pub type MapShard<V> = AHashMap<Arc<str>, V>;

/// A map by text; a clone is frozen.
#[derive(Debug, Clone)]
pub struct ShardedMap<V> {
    /// None until the first entry: most maps of tests and cases hold next to nothing.
    shards: Vec<Arc<MapShard<V>>>,
    len: usize,
    hasher: RandomState,
}

impl<V> Default for ShardedMap<V> {
    fn default() -> Self {
        ShardedMap {
            shards: Vec::new(),
            len: 0,
            hasher: RandomState::new(),
        }
    }
}

impl<V: Clone> ShardedMap<V> {
    fn shard_of(&self, key: &str) -> usize {
        // Whole numbers below 1,024.
        (self.hasher.hash_one(key) % SHARDS as u64) as usize
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, key: &str) -> Option<&V> {
        self.shards.get(self.shard_of(key))?.get(key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let at = self.shard_of(key);
        let shard = self.shards.get_mut(at)?;
        // A shard that others share is not copied for nothing.
        if !shard.contains_key(key) {
            return None;
        }
        Arc::make_mut(shard).get_mut(key)
    }

    pub fn insert(&mut self, key: Arc<str>, value: V) -> Option<V> {
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, Arc::default);
        }
        let at = self.shard_of(&key);
        let before = Arc::make_mut(&mut self.shards[at]).insert(key, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub fn remove(&mut self, key: &str) -> Option<V> {
        let at = self.shard_of(key);
        let shard = self.shards.get_mut(at)?;
        if !shard.contains_key(key) {
            return None;
        }
        self.len -= 1;
        Arc::make_mut(shard).remove(key)
    }

    /// Walks over the shard of that number and drops what `keep` refuses. Only a shard in
    /// which `is_stale` finds something is written to.
    pub fn sweep(
        &mut self,
        shard: usize,
        is_stale: impl Fn(&V) -> bool,
        mut keep: impl FnMut(&str, &mut V) -> bool,
    ) {
        let Some(shard) = self.shards.get_mut(shard) else {
            return;
        };
        if shard.values().any(is_stale) {
            let shard = Arc::make_mut(shard);
            let before = shard.len();
            shard.retain(|key, value| keep(key, value));
            self.len -= before - shard.len();
            if shard.capacity() > 4 * shard.len().max(16) {
                shard.shrink_to_fit();
            }
        }
    }

    pub fn shards(&self) -> impl Iterator<Item = &MapShard<V>> {
        self.shards.iter().map(|shard| &**shard)
    }

    /// Takes a shard out, so that it is freed once it is written down.
    pub fn take_shards(&mut self) -> impl Iterator<Item = Arc<MapShard<V>>> {
        std::mem::take(&mut self.shards).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_copy_stays_as_it_was() {
        let mut map = ShardedMap::default();
        for n in 0..5_000 {
            map.insert(format!("k{n}").into(), n);
        }
        let frozen = map.clone();
        for n in 0..5_000 {
            match n % 3 {
                0 => drop(map.remove(&format!("k{n}"))),
                1 => *map.get_mut(&format!("k{n}")).unwrap() = -1,
                _ => {}
            }
        }
        for shard in 0..SHARDS {
            map.sweep(shard, |value| *value == -1, |_, value| *value != -1);
        }
        assert_eq!((frozen.len(), map.len()), (5_000, 1_666));
        assert!((0..5_000).all(|n| frozen.get(&format!("k{n}")) == Some(&n)));
        let counted: usize = map.shards().map(|shard| shard.len()).sum();
        assert_eq!(counted, map.len());
    }
}
