//! A connector that was stopped within a transaction, as it writes its topics: it begins again,
//! leaves out what it had saved, and counts the rest from 1.

use super::*;
use serde_json::{Value, json};
use sluice_sidecar::stream::offsets::PartitionOffsets;

const STOPPED_IN: &str = "0-1-189";

/// The log of a connector that had saved `saved` changes of a transaction, and sent `sent`.
fn stopped_within(log: &CapturedTopics, saved: u64, sent: u64) -> CapturedTopics {
    let mut stopped = CapturedTopics::new();
    let mut rest: BTreeMap<String, u64> = BTreeMap::new();
    let topics = log.iter().filter(|(topic, _)| *topic != "bank.transaction");
    for (topic, messages) in topics {
        let (mut before, mut after, mut saved_here) = (Vec::new(), Vec::new(), 0);
        let mut has_come = false;
        for message in messages {
            let json: Option<Value> = message.as_deref().map(|m| serde_json::from_str(m).unwrap());
            let Some(mut json) = json.filter(|j| j["transaction"]["id"] == STOPPED_IN) else {
                if has_come { &mut after } else { &mut before }.push(message.clone());
                continue;
            };
            has_come = true;
            let order = json["transaction"]["total_order"].as_u64().unwrap();
            if order <= sent {
                before.push(message.clone());
            }
            if order <= saved {
                saved_here += 1;
                continue;
            }
            let table_order = json["transaction"]["data_collection_order"]
                .as_u64()
                .unwrap();
            json["transaction"]["total_order"] = (order - saved).into();
            json["transaction"]["data_collection_order"] = (table_order - saved_here).into();
            after.push(Some(json.to_string()));
            *rest.entry(topic["bank.".len()..].to_owned()).or_default() += 1;
        }
        before.extend(after);
        stopped.insert(topic.clone(), before);
    }
    let mut boundaries = Vec::new();
    for message in &log["bank.transaction"] {
        let mut json: Value = serde_json::from_str(message.as_deref().unwrap()).unwrap();
        if json["id"] == STOPPED_IN && json["status"] == "BEGIN" {
            boundaries.push(message.clone());
        } else if json["id"] == STOPPED_IN {
            let counts = rest.iter();
            json["data_collections"] = counts
                .map(|(name, n)| json!({ "data_collection": name, "event_count": n }))
                .collect();
        }
        boundaries.push(Some(json.to_string()));
    }
    stopped.insert("bank.transaction".to_owned(), boundaries);
    stopped
}

/// Hands over what is whole, answering for the partitions' ends.
fn drain_to(one: &mut TransactionAssembler, ends: &CapturedTopics, out: &mut Vec<String>) {
    drain(one, out);
    while one.wants_ends() {
        let mut all = PartitionOffsets::default();
        for (topic, messages) in ends {
            all.set(topic, 0, messages.len() as i64);
        }
        one.set_ends(all);
        drain(one, out);
    }
}

#[test]
fn whatever_was_saved_and_told_nothing_is_lost_or_doubled() {
    let seed = std::env::var("SLUICE_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(u64::from(std::process::id()));
    println!("seed {seed} (set SLUICE_SEED to play it again)");
    let mut dice = SeededRandom(seed);
    for round in 0..600 {
        let saved = dice.below(4) as u64;
        let sent = saved + dice.below(5 - saved as usize) as u64;
        let log = stopped_within(&captured(), saved, sent);
        let mut out = Vec::new();
        let mut one = assembler("");
        let mut next: BTreeMap<&str, usize> = log.keys().map(|topic| (topic.as_str(), 0)).collect();
        loop {
            let open: Vec<&str> = next
                .iter()
                .filter(|(t, at)| **at < log[**t].len())
                .map(|(t, _)| *t)
                .collect();
            if open.is_empty() {
                break;
            }
            let topic = open[dice.below(open.len())];
            let at = next[topic];
            take(&mut one, topic, at as i64, &log[topic][at]).unwrap();
            next.insert(topic, at + 1);
            drain_to(&mut one, &log, &mut out);
            if dice.below(6) == 0 {
                let position = one.position();
                one = assembler(&position);
                for (topic, at) in &mut next {
                    *at = one.read().next(topic, 0).map_or(0, |next| next as usize);
                }
            }
        }
        assert_eq!(
            out, WHOLE_TRANSACTIONS,
            "round {round}: {saved} saved, {sent} sent"
        );
        assert!(one.waits_for().is_none() && one.waiting() == 0);
    }
}

/// A hand-made feed of one transaction that raises balances.
struct Feed {
    one: TransactionAssembler,
    offsets: BTreeMap<&'static str, i64>,
}

const ID: &str = "0-1-500";
const BALANCES: &str = "bank.sluice_balance.balance";
const BOUNDARIES: &str = "bank.transaction";

impl Feed {
    fn begun() -> Self {
        let mut feed = Feed {
            one: assembler(""),
            offsets: BTreeMap::new(),
        };
        feed.begin();
        feed
    }

    fn say(&mut self, topic: &'static str, message: Value) -> anyhow::Result<()> {
        let offset = self.offsets.entry(topic).or_default();
        take(&mut self.one, topic, *offset, &Some(message.to_string()))?;
        *offset += 1;
        Ok(())
    }

    fn begin(&mut self) {
        self.say(BOUNDARIES, json!({ "status": "BEGIN", "id": ID }))
            .unwrap();
    }

    fn end(&mut self, count: u64) {
        let counts = json!([{ "data_collection": "sluice_balance.balance", "event_count": count }]);
        let end = json!({ "status": "END", "id": ID, "data_collections": counts });
        self.say(BOUNDARIES, end).unwrap();
    }

    fn raise(&mut self, account: &str, order: u64, source: Value) -> anyhow::Result<()> {
        let image = |balance: &str| {
            json!({ "account_id": account, "currency": "CNY", "balance": balance, "available": balance,
                "reserved": "0.0000", "version": 1, "updated_us": 1,
                "intermediate": "0.0000", "intermediate_reserved": "0.0000" })
        };
        let place = json!({ "id": ID, "total_order": order, "data_collection_order": order });
        let change = json!({ "op": "u", "before": image("1.0000"), "after": image("9001.0000"),
            "source": source, "transaction": place });
        self.say(BALANCES, change)
    }

    /// Answers for the ends with what was said so far; accounts of what is whole.
    fn whole(&mut self) -> Vec<String> {
        if self.one.wants_ends() {
            let mut ends = PartitionOffsets::default();
            self.offsets
                .iter()
                .for_each(|(topic, next)| ends.set(topic, 0, *next));
            self.one.set_ends(ends);
        }
        let Some(item) = self.one.next_whole().unwrap().flatten() else {
            return Vec::new();
        };
        let unlogged = item.unlogged.iter().map(|u| u.text.clone());
        let changes = item.transaction.changes.iter().map(|change| {
            let after = change.after.as_ref().unwrap();
            match &after[change.table.column("account_id").unwrap()] {
                ColumnValue::Text(account) => account.to_string(),
                other => panic!("{other:?}"),
            }
        });
        changes.chain(unlogged).collect()
    }
}

fn at(pos: u64, row: u64) -> Value {
    json!({ "snapshot": "false", "gtid": ID, "server_id": 1, "file": "binlog.000001", "pos": pos, "row": row })
}

#[test]
fn two_changes_under_one_number_are_both_judged() {
    let mut feed = Feed::begun();
    feed.raise("A-1", 1, at(10, 0)).unwrap();
    feed.raise("A-2", 2, at(10, 1)).unwrap();
    feed.begin();
    // The same content as the first: its place alone tells that it is another.
    feed.raise("A-1", 1, at(20, 0)).unwrap();
    feed.raise("A-4", 2, at(20, 1)).unwrap();
    feed.end(2);
    assert_eq!(feed.whole(), ["A-1", "A-2", "A-1", "A-4"]);
}

#[test]
fn without_places_the_feed_stops_and_names_the_transaction() {
    let nowhere = || json!({ "snapshot": "false", "gtid": ID });
    let mut feed = Feed::begun();
    feed.raise("A-1", 1, nowhere()).unwrap();
    feed.begin();
    let error = format!("{:#}", feed.raise("A-3", 1, nowhere()).unwrap_err());
    assert!(
        error.contains(ID) && error.contains("as another"),
        "{error}"
    );
    // Nor if no number came twice: nobody knows whether one was left out.
    let mut feed = Feed::begun();
    feed.begin();
    feed.raise("A-1", 1, nowhere()).unwrap();
    feed.end(1);
    let mut ends = PartitionOffsets::default();
    ends.set(BALANCES, 0, 1);
    feed.one.set_ends(ends);
    let position = feed.one.position();
    let error = format!("{:#}", feed.one.next_whole().unwrap_err());
    assert!(error.contains(ID) && error.contains("no place"), "{error}");
    assert_eq!(feed.one.position(), position, "a restart meets it again");
}

#[test]
fn rows_behind_their_end_are_waited_for() {
    let mut feed = Feed::begun();
    feed.raise("A-1", 1, at(10, 0)).unwrap();
    feed.raise("A-2", 2, at(10, 1)).unwrap();
    feed.begin();
    feed.end(3);
    // The ends are those of now, and nothing of the rest is there.
    assert!(feed.whole().is_empty());
    feed.raise("A-3", 1, at(20, 0)).unwrap();
    feed.raise("A-4", 2, at(20, 1)).unwrap();
    assert!(feed.whole().is_empty());
    assert_eq!(feed.one.waits_for().map(|(_, lacks)| lacks.len()), Some(1));
    feed.raise("A-5", 3, at(20, 2)).unwrap();
    assert_eq!(feed.whole().len(), 5);
}

#[test]
fn a_row_that_comes_after_its_transaction_was_judged_is_told() {
    let mut feed = Feed::begun();
    feed.raise("A-1", 1, at(10, 0)).unwrap();
    feed.begin();
    feed.raise("A-2", 1, at(20, 0)).unwrap();
    feed.end(1);
    assert_eq!(feed.whole(), ["A-1", "A-2"]);
    feed.raise("A-2", 1, at(20, 0)).unwrap();
    assert!(feed.whole().is_empty(), "told again, no more");
    feed.raise("A-3", 2, at(30, 0)).unwrap();
    let texts = feed.whole();
    assert!(texts.len() == 1 && texts[0].contains(ID), "{texts:?}");
}

#[test]
fn places_of_two_servers_are_not_compared() {
    let mut feed = Feed::begun();
    feed.raise("A-1", 1, at(10, 0)).unwrap();
    feed.begin();
    let mut other = at(20, 0);
    other["server_id"] = 2.into();
    feed.raise("A-2", 1, other).unwrap();
    feed.end(1);
    let mut ends = PartitionOffsets::default();
    ends.set(BALANCES, 0, 2);
    feed.one.set_ends(ends);
    let error = format!("{:#}", feed.one.next_whole().unwrap_err());
    assert!(error.contains("of server 2"), "{error}");
}
