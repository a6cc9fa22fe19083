//! Payments in: `payment.succeeded` events on Kafka are booked onto the merchants'
//! intermediate accounts, each once, however often it is delivered.
//!
//! An offset is committed after the booking's own commit, so a crash between the two
//! delivers the event again, and its key finds what is booked. What can't be booked
//! for good is set aside, counted and named by its place; what can't be booked now is
//! waited for, however long that takes.

use crate::accept::{Acceptor, Ask, Capture, Keyed, Refusal};
use crate::config;
use crate::metrics::METRICS;
use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::join_all;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, Statistics, TopicPartitionList};
use sha2::{Digest, Sha256};
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent, PAYMENT_SUCCEEDED};
use sluice_contract::ids::{MAX_ID, MAX_KEY, is_plain};
use sluice_contract::money::{Currency, parse_amount};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Under whose name payments have their keys; no caller of the API can have it.
pub const CLIENT: &str = "kafka";
/// Events booked side by side, so that they share commits: a little more than one
/// accept transaction holds.
const BATCH: usize = 256;
/// Width of the key's column.
const LONGEST_KEY: usize = 80;
/// Pauses before what can't be booked now is tried again; they double up to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// Reads the payments of its share of the partitions.
pub struct Intake {
    consumer: StreamConsumer<Watch>,
    acceptor: Arc<Acceptor>,
}

/// A payment on its way to its booking, and where it was read.
struct Payment {
    keyed: Keyed,
    place: Place,
}

#[derive(Debug, Clone)]
struct Place {
    partition: i32,
    offset: i64,
}

/// What Kafka's client tells by itself.
struct Watch;

impl ClientContext for Watch {
    fn stats(&self, now: Statistics) {
        let partitions = now.topics.values().flat_map(|t| t.partitions.values());
        METRICS
            .intake
            .lag
            .set(partitions.map(|p| p.consumer_lag.max(0)).sum());
    }
}

impl ConsumerContext for Watch {
    fn commit_callback(&self, committed: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = committed {
            // Delivered again, to whoever has the partition now; the keys know them.
            tracing::warn!("offsets of booked payments are not committed: {error}");
        }
    }
}

impl Intake {
    pub fn start(
        config: &config::Intake,
        brokers: &str,
        acceptor: Arc<Acceptor>,
    ) -> anyhow::Result<()> {
        let consumer: StreamConsumer<Watch> = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", &config.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A payment told before the first start is a payment too.
            .set("auto.offset.reset", "earliest")
            // How soon the partitions of a core that died are another's.
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("statistics.interval.ms", "2000")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "500")
            .set("log_level", "3")
            .create_with_context(Watch)
            .context("kafka.brokers: can't make a consumer")?;
        consumer
            .subscribe(&[BUSINESS_TOPICS[0]])
            .context("can't subscribe to payments")?;
        tokio::spawn(Intake { consumer, acceptor }.run());
        Ok(())
    }

    async fn run(self) {
        loop {
            let (payments, read) = self.gather().await;
            self.book(payments).await;
            if let Err(error) = self.commit(&read) {
                tracing::warn!("offsets of booked payments can't be committed now: {error:#}");
            }
        }
    }

    /// At least one message, and with it what is there already; for each partition the
    /// offset behind what was read.
    async fn gather(&self) -> (Vec<Payment>, BTreeMap<i32, i64>) {
        let (mut payments, mut read) = (Vec::new(), BTreeMap::new());
        let mut next = Some(self.consumer.recv().await);
        let mut messages = 0;
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    payments.extend(take(&message));
                    read.insert(message.partition(), message.offset() + 1);
                    messages += 1;
                }
                Err(error) => {
                    tracing::warn!("payments can't be read now: {error}");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
            next = if messages < BATCH {
                self.consumer.recv().now_or_never()
            } else {
                None
            };
        }
        (payments, read)
    }

    /// Returns once every payment is booked, known, or set aside. Events under one key
    /// follow each other in the order of the partition.
    async fn book(&self, mut payments: Vec<Payment>) {
        let mut pause = PAUSE.0;
        while !payments.is_empty() {
            let (mut again, mut later, mut keys) = (Vec::new(), Vec::new(), HashSet::new());
            let (now, rest): (Vec<_>, Vec<_>) = payments
                .into_iter()
                .partition(|p| keys.insert(p.keyed.key.clone()));
            later.extend(rest);
            let booked = join_all(now.iter().map(|p| self.acceptor.submit(p.keyed.clone()))).await;
            let mut why = None;
            for (payment, verdict) in now.into_iter().zip(booked) {
                match verdict {
                    Ok(accepted) => count(if accepted.replayed {
                        "repeated"
                    } else {
                        "booked"
                    }),
                    Err(refusal) if passes(&refusal) => {
                        why = Some(refusal);
                        again.push(payment);
                    }
                    Err(refusal) => refused(&payment, &refusal),
                }
            }
            if let Some(why) = why {
                METRICS.intake.retries.inc();
                tracing::warn!(payments = again.len(), "payments wait to be booked: {why}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
            again.append(&mut later);
            payments = again;
        }
    }

    fn commit(&self, read: &BTreeMap<i32, i64>) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in read {
            list.add_partition_offset(BUSINESS_TOPICS[0], *partition, Offset::Offset(*next))?;
        }
        if !read.is_empty() {
            self.consumer.commit(&list, CommitMode::Async)?;
        }
        Ok(())
    }
}

/// Whether trying again may help: nothing is wrong with the payment itself.
fn passes(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::InFlight | Refusal::Overloaded | Refusal::Unbookable | Refusal::Unavailable
    )
}

fn refused(payment: &Payment, refusal: &Refusal) {
    let (account, Place { partition, offset }) = (payment.keyed.ask.account_id(), &payment.place);
    let topic = BUSINESS_TOPICS[0];
    if matches!(refusal, Refusal::KeyReused | Refusal::AlreadyCaptured) {
        count("conflict");
        tracing::error!(
            topic,
            partition,
            offset,
            account,
            "a payment was told before with other words: not booked"
        );
    } else {
        count("dead_letter");
        tracing::error!(
            topic,
            partition,
            offset,
            account,
            "a payment is set aside: {refusal}"
        );
    }
}

fn count(result: &'static str) {
    METRICS.intake.events.with_label_values(&[result]).inc();
}

/// The payment of a message, if it holds one.
fn take(message: &BorrowedMessage<'_>) -> Option<Payment> {
    let place = Place {
        partition: message.partition(),
        offset: message.offset(),
    };
    let read = BusinessEvent::read(message.payload().unwrap_or_default());
    let account = read
        .as_ref()
        .map(|e| e.account_id.clone())
        .unwrap_or_default();
    let keyed = match read {
        // Other events of the topic are the sidecar's.
        Ok(event) if event.kind != PAYMENT_SUCCEEDED => {
            count("other");
            return None;
        }
        // By the broker or the sender; the event's own time may be the payment's.
        Ok(event) => keyed(
            &event,
            message
                .timestamp()
                .to_millis()
                .map_or(0, |ms| ms.saturating_mul(1_000)),
        ),
        Err(why) => Err(why.as_str().to_owned()),
    };
    match keyed {
        Ok(keyed) => Some(Payment { keyed, place }),
        Err(why) => {
            count("dead_letter");
            // What isn't plain may be anything: it stays out of the log.
            let account = if is_plain(&account, MAX_ID) {
                account.as_str()
            } else {
                "-"
            };
            let (topic, Place { partition, offset }) = (BUSINESS_TOPICS[0], &place);
            tracing::error!(
                topic,
                partition,
                offset,
                account,
                "a payment event is set aside: {why}"
            );
            None
        }
    }
}

/// The booking that the event asks for, under a key of its own. When it was told is no
/// part of what was asked: told again, it is the same payment.
fn keyed(event: &BusinessEvent, event_time_us: i64) -> Result<Keyed, String> {
    let BusinessEvent {
        account_id, biz_no, ..
    } = event;
    if !is_plain(account_id, MAX_ID) {
        return Err(format!(
            "accountId is not 1 to {MAX_ID} letters, digits and _ - . :"
        ));
    }
    if !is_plain(biz_no, MAX_KEY) {
        return Err(format!(
            "bizNo is not 1 to {MAX_KEY} letters, digits and _ - . :"
        ));
    }
    let currency: Currency = event
        .currency
        .parse()
        .map_err(|e| format!("currency {e}"))?;
    // Its text, so that an amount with more decimals than the currency is refused.
    let amount =
        parse_amount(&event.amount.to_string(), currency).map_err(|e| format!("amount {e}"))?;
    let words = format!("{account_id}\n{biz_no}\n{}\n{currency}", amount.normalize());
    let (account, payment_no) = (account_id.clone(), biz_no.clone());
    let ask = Ask::Capture(Capture {
        account_id: account,
        amount,
        currency,
        payment_no,
        event_time_us,
    });
    Ok(Keyed {
        client: CLIENT.to_owned(),
        key: key(account_id, biz_no),
        request_hash: hex::encode(Sha256::digest(words)),
        ask,
    })
}

/// Unique per account and payment: a slash is in neither.
fn key(account_id: &str, biz_no: &str) -> String {
    let plain = format!("pay/{account_id}/{biz_no}");
    if plain.len() <= LONGEST_KEY {
        plain
    } else {
        format!("pay/{}", hex::encode(Sha256::digest(plain)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    fn event(account: &str, biz_no: &str, amount: &str, currency: &str) -> BusinessEvent {
        BusinessEvent {
            id: "e".into(),
            kind: PAYMENT_SUCCEEDED.into(),
            account_id: account.into(),
            biz_no: biz_no.into(),
            amount: Decimal::from_str_exact(amount).unwrap(),
            currency: currency.into(),
            occurred_us: 1,
        }
    }

    #[test]
    fn what_is_booked_and_what_is_set_aside() {
        for (amount, currency) in [
            ("0.01", "CNY"),
            ("100", "JPY"),
            ("1.234", "BHD"),
            ("5", "CNY"),
        ] {
            assert!(
                keyed(&event("M-1", "P-1", amount, currency), 1).is_ok(),
                "{amount} {currency}"
            );
        }
        let long = "x".repeat(65);
        let cases = [
            (event("M-1", "P-1", "1.001", "CNY"), "amount"),
            (event("M-1", "P-1", "1.0", "JPY"), "amount"),
            (event("M-1", "P-1", "0", "CNY"), "amount"),
            (event("M-1", "P-1", "-5", "CNY"), "amount"),
            (event("M-1", "P-1", "1", "XXX"), "currency"),
            (event("M 1", "P-1", "1", "CNY"), "accountId"),
            (event("M-1", &long, "1", "CNY"), "bizNo"),
        ];
        for (event, part) in cases {
            let why = keyed(&event, 1).err().unwrap_or_default();
            assert!(why.contains(part), "{event:?}: {why}");
        }
    }

    #[test]
    fn the_same_payment_has_the_same_key_and_other_words_another_hash() {
        let of = |amount: &str| keyed(&event("M-1", "P-1", amount, "CNY"), 1).unwrap();
        assert_eq!(
            (of("5").key, of("5").request_hash),
            (of("5.00").key, of("5.00").request_hash)
        );
        assert_ne!(of("5").request_hash, of("5.01").request_hash);
        assert_eq!(key("M-1", "P-1"), "pay/M-1/P-1");
        let (account, number) = ("a".repeat(MAX_ID), "p".repeat(MAX_KEY));
        assert!(key(&account, &number).len() <= LONGEST_KEY);
        assert_ne!(key(&account, &number), key(&account, &"q".repeat(MAX_KEY)));
    }
}
