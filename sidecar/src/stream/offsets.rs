//! Offsets up to which each partition of Kafka was read. Kept with the verdicts in one
//! transaction, not in Kafka: `business.payment=12,7;business.withdraw=3`.

use std::collections::BTreeMap;

/// Next offset per topic and partition; −1 where nothing is known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionOffsets(BTreeMap<String, Vec<i64>>);

const UNKNOWN_OFFSET: i64 = -1;

impl PartitionOffsets {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        for topic in text.split(';').filter(|t| !t.is_empty()) {
            let numbers = topic
                .split_once('=')
                .map(|(name, list)| (name, list.split(',').map(str::parse::<i64>)));
            let (name, numbers) = numbers.ok_or_else(|| malformed(text))?;
            all.insert(
                name.to_owned(),
                numbers
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|_| malformed(text))?,
            );
        }
        Ok(PartitionOffsets(all))
    }

    pub fn render(&self) -> String {
        let list = |numbers: &Vec<i64>| {
            numbers
                .iter()
                .map(i64::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        self.0
            .iter()
            .map(|(topic, numbers)| format!("{topic}={}", list(numbers)))
            .collect::<Vec<_>>()
            .join(";")
    }

    pub fn next(&self, topic: &str, partition: i32) -> Option<i64> {
        let at = usize::try_from(partition).ok()?;
        self.0
            .get(topic)?
            .get(at)
            .copied()
            .filter(|next| *next >= 0)
    }

    pub fn set(&mut self, topic: &str, partition: i32, next: i64) {
        let Ok(at) = usize::try_from(partition) else {
            return;
        };
        if !self.0.contains_key(topic) {
            self.0.insert(topic.to_owned(), Vec::new());
        }
        if let Some(list) = self.0.get_mut(topic) {
            if list.len() <= at {
                list.resize(at + 1, UNKNOWN_OFFSET);
            }
            list[at] = next;
        }
    }

    pub fn partitions(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        let numbered = |list: &Vec<i64>| (0_i32..).zip(list.clone()).collect::<Vec<_>>();
        self.0.iter().flat_map(move |(topic, list)| {
            numbered(list)
                .into_iter()
                .map(|(p, next)| (topic.as_str(), p, next))
        })
    }

    /// Whether everything before `ends` was read.
    pub fn reached(&self, ends: &PartitionOffsets) -> bool {
        ends.partitions().all(|(topic, partition, end)| {
            end <= 0 || self.next(topic, partition).is_some_and(|n| n >= end)
        })
    }

    /// Whether the event at `topic/partition/offset` was read.
    pub fn contains(&self, position: &str) -> bool {
        let mut parts = position.rsplitn(3, '/');
        let (offset, partition, topic) = (parts.next(), parts.next(), parts.next());
        let parsed = offset
            .and_then(|o| o.parse::<i64>().ok())
            .zip(partition.and_then(|p| p.parse().ok()))
            .zip(topic);
        parsed.is_some_and(|((offset, partition), topic)| {
            self.next(topic, partition).is_some_and(|n| n > offset)
        })
    }
}

fn malformed(text: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "kafka position {text:?} is malformed; delete the checkpoint row of source kafka to start at the end"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() -> anyhow::Result<()> {
        let mut offsets = PartitionOffsets::parse("")?;
        offsets.set("b.w", 0, 3);
        offsets.set("a.p", 2, 7);
        assert_eq!(offsets.render(), "a.p=-1,-1,7;b.w=3");
        assert_eq!(PartitionOffsets::parse(&offsets.render())?, offsets);
        assert_eq!(
            (
                offsets.next("a.p", 0),
                offsets.next("a.p", 2),
                offsets.next("c", 0)
            ),
            (None, Some(7), None)
        );
        for wrong in ["a", "a=", "a=x", "a=1,"] {
            assert!(PartitionOffsets::parse(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn what_was_reached_and_contained() -> anyhow::Result<()> {
        let read = PartitionOffsets::parse("a=5,0")?;
        assert!(
            read.reached(&PartitionOffsets::parse("a=5,0")?)
                && read.reached(&PartitionOffsets::default())
        );
        assert!(
            !read.reached(&PartitionOffsets::parse("a=6,0")?)
                && !read.reached(&PartitionOffsets::parse("b=1")?)
        );
        assert!(read.contains("a/0/4") && !read.contains("a/0/5") && !read.contains("x"));
        Ok(())
    }
}
