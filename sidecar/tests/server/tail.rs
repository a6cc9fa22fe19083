//! A binlog reader whose batches a test looks at.
#![allow(dead_code)] // Each test file uses its part.

use super::Server;
use crossbeam_channel::Receiver;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::Readiness;
use sluice_sidecar::blind::Blind;
use sluice_sidecar::change::Transaction;
use sluice_sidecar::pipeline::Feed;
use sluice_sidecar::sources::gtid::Flavour;
use sluice_sidecar::sources::{BinlogBatch, Item, Mark, Start, binlog, preflight};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub struct Tail {
    pub feed: Receiver<Feed>,
    pub blind: Blind,
    cancel: CancellationToken,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

pub fn schemas() -> Schemas {
    Schemas::under("t").unwrap()
}

pub fn tail(server: &Server, server_id: u32, position: &str, start: Start) -> Tail {
    tail_of(&server.url(), server.flavour(), server_id, position, start)
}

pub fn tail_of(url: &str, flavour: Flavour, server_id: u32, position: &str, start: Start) -> Tail {
    let settings = binlog::Settings {
        url: url.to_owned(),
        server_id,
        schemas: schemas(),
        flavour,
        position: position.to_owned(),
        start,
    };
    let (send, feed) = crossbeam_channel::bounded(64);
    let blind = Blind::new(
        Readiness::default(),
        prometheus::IntGauge::new("t", "t").unwrap(),
    );
    let cancel = CancellationToken::new();
    let reader = binlog::Reader::new(settings, send, blind.clone(), cancel.clone()).unwrap();
    std::thread::spawn(move || reader.run());
    Tail {
        feed,
        blind,
        cancel,
    }
}

impl Tail {
    pub fn batch(&self) -> Option<BinlogBatch> {
        match self.feed.recv_timeout(Duration::from_secs(5)).ok()? {
            Feed::Binlog(batch) => Some(batch),
            other => panic!("{other:?}"),
        }
    }

    /// Reads until `count` transactions with watched rows came.
    pub fn transactions(&self, count: usize) -> (Vec<Arc<Transaction>>, Vec<Mark>, String) {
        let (mut all, mut marks, mut position) = (Vec::new(), Vec::new(), String::new());
        while all.len() < count {
            let batch = self.batch().unwrap_or_else(|| {
                panic!("only {} came; blind: {:?}", all.len(), self.blind.reason())
            });
            for item in batch.items {
                all.push(item.transaction);
                marks.extend(item.marks);
            }
            position = batch.position;
        }
        (all, marks, position)
    }

    /// Reads until `count` transactions came whose rows are watched or missing.
    pub fn items(&self, count: usize) -> Vec<Item> {
        let mut all = Vec::new();
        while all.len() < count {
            let batch = self.batch().unwrap_or_else(|| {
                panic!("only {} came; blind: {:?}", all.len(), self.blind.reason())
            });
            all.extend(batch.items);
        }
        all
    }

    pub async fn blind_with(&self, text: &str) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(8) {
            if self.blind.reason().is_some_and(|r| r.contains(text)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not blind with {text:?} but {:?}", self.blind.reason());
    }
}

pub async fn position(server: &Server) -> String {
    preflight::position(&mut server.conn().await, server.flavour())
        .await
        .unwrap()
}
