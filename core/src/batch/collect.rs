//! Batches are collected here: an idle writer takes at once whatever has come; a writer
//! that has just worked waits out a short window first, so that under load many requests
//! share one commit. One commit costs the database more than ten orders do.

use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

/// A collector fills the batches of one writer.
pub struct BatchCollector {
    window: Duration,
    last: Option<Instant>,
    stop: CancellationToken,
}

impl BatchCollector {
    /// Makes a collector of at most one batch per `window`, unless the batch is full. Once `stop` is
    /// cancelled the queue takes no more.
    pub fn new(window: Duration, stop: CancellationToken) -> Self {
        BatchCollector {
            window,
            last: None,
            stop,
        }
    }

    /// Fills the empty `batch` with one to `max_items` items; false once the queue is closed,
    /// by the stop or by the last sender, and drained.
    pub async fn next<T>(
        &mut self,
        queue: &mut Receiver<T>,
        batch: &mut Vec<T>,
        max_items: usize,
    ) -> bool {
        let taken = tokio::select! {
            biased;
            taken = queue.recv_many(batch, max_items) => taken,
            () = self.stop.cancelled() => {
                queue.close();
                queue.recv_many(batch, max_items).await
            }
        };
        if taken == 0 {
            return false;
        }
        let rest = self.last.map_or(Duration::ZERO, |last| {
            self.window.saturating_sub(last.elapsed())
        });
        if batch.len() < max_items && !rest.is_zero() {
            tokio::time::sleep(rest).await;
            while batch.len() < max_items
                && let Ok(item) = queue.try_recv()
            {
                batch.push(item);
            }
        }
        self.last = Some(Instant::now());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn items_come_once_in_order_and_bounded() {
        let (sender, mut queue) = mpsc::channel(100);
        let mut collector = BatchCollector::new(Duration::from_millis(1), CancellationToken::new());
        for n in 0..25 {
            sender.send(n).await.unwrap();
        }
        drop(sender);
        let (mut all, mut batch) = (Vec::new(), Vec::new());
        while collector.next(&mut queue, &mut batch, 10).await {
            assert!((1..=10).contains(&batch.len()));
            all.append(&mut batch);
        }
        assert_eq!(all, (0..25).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_stopped_queue_is_drained_and_takes_no_more() {
        let (sender, mut queue) = mpsc::channel(100);
        let stop = CancellationToken::new();
        let mut collector = BatchCollector::new(Duration::ZERO, stop.clone());
        sender.send(1).await.unwrap();
        stop.cancel();
        let mut batch = Vec::new();
        assert!(collector.next(&mut queue, &mut batch, 10).await);
        assert_eq!(std::mem::take(&mut batch), [1]);
        assert!(!collector.next(&mut queue, &mut batch, 10).await);
        assert!(sender.send(2).await.is_err());
    }
}
