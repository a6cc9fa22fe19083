//! Messages of the transaction topic: begins and ends.

use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::{self, BoundaryStatus, TransactionBoundary};
use crate::debezium::transactions::TransactionAssembler;
use crate::stream::position;
use anyhow::bail;
use std::collections::BTreeMap;
use std::sync::Arc;

impl TransactionAssembler {
    pub(super) fn boundary(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let Some(payload) = payload else {
            return Ok(());
        };
        let boundary: TransactionBoundary = envelope::parse(payload)?;
        if self.reached.contains(&boundary.id) {
            return Ok(());
        }
        if boundary.status == BoundaryStatus::Begin {
            return self.begin(topic, place, &boundary.id);
        }
        let Some(open) = self.open.get_mut(&boundary.id).filter(|open| open.begun) else {
            // It began before we did: a first start, and not ours.
            self.forget(&boundary.id);
            return Ok(());
        };
        if open.missing.is_some() {
            return Ok(());
        }
        let mut missing: BTreeMap<Arc<str>, i64> = BTreeMap::new();
        for (collection, count) in boundary.counts(|name| self.collections.contains_key(name)) {
            let Some(topic) = self.collections.get(collection) else {
                continue;
            };
            *missing.entry(Arc::clone(topic)).or_default() += i64::try_from(count)?;
        }
        open.counts = missing.clone();
        if open.repeated {
            // It counts from where the connector went on, see `repeated`.
            missing.clear();
            open.seen.clear();
        }
        for (topic, seen) in std::mem::take(&mut open.seen) {
            *missing.entry(topic).or_default() -= seen;
        }
        if let Some((topic, _)) = missing.iter().find(|(_, left)| **left < 0) {
            bail!(
                "transaction {} has more changes of {topic} than its end says",
                boundary.id
            );
        }
        open.missing = Some(missing);
        self.ended.push_back(boundary.id);
        Ok(())
    }

    fn begin(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        id: &str,
    ) -> anyhow::Result<()> {
        let gtid = position::gtid(id)?;
        if self.streams.insert(position::stream(&gtid)) && !self.reached.knows_stream_of(&gtid) {
            self.reached.begin_at(&gtid)?;
            let older: Vec<String> = self
                .open
                .keys()
                .filter(|id| self.reached.contains(id))
                .cloned()
                .collect();
            older.iter().for_each(|id| self.forget(id));
        }
        let open = self.open.entry(id.to_owned()).or_default();
        if !std::mem::replace(&mut open.begun, true) {
            let message = (Arc::clone(topic), place.partition, place.offset);
            open.messages.push(message.clone());
            self.hold(&message);
        } else if open.missing.is_none() {
            open.repeated = true;
        }
        Ok(())
    }

    /// Drops a transaction that began before reading did.
    fn forget(&mut self, id: &str) {
        let Some(open) = self.open.remove(id) else {
            return;
        };
        self.changes -= open.changes.len();
        self.release(&open.messages);
    }
}
