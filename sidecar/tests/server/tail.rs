//! A binlog reader whose batches a test looks at.
#![allow(dead_code)] // Each test file uses its part.

use crate::server::TestServer;
use crossbeam_channel::Receiver;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::Readiness;
use sluice_sidecar::binlog::{preflight, reader};
use sluice_sidecar::health::blind::Blind;
use sluice_sidecar::stream::batches::{BinlogBatch, ControlRow, WatchedTransaction};
use sluice_sidecar::stream::change::ChangeTransaction;
use sluice_sidecar::stream::feed::{FeedSender, SourceMessage};
use sluice_sidecar::stream::gtid::Flavour;
use sluice_sidecar::stream::position::StartPosition;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub struct BinlogTestReader {
    pub feed: Receiver<SourceMessage>,
    pub blind: Blind,
    cancel: CancellationToken,
}

impl Drop for BinlogTestReader {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

pub fn schemas() -> Schemas {
    Schemas::under("t").unwrap()
}

pub fn tail(
    server: &TestServer,
    server_id: u32,
    position: &str,
    start: StartPosition,
) -> BinlogTestReader {
    tail_of(&server.url(), server.flavour(), server_id, position, start)
}

pub fn tail_of(
    url: &str,
    flavour: Flavour,
    server_id: u32,
    position: &str,
    start: StartPosition,
) -> BinlogTestReader {
    tail_in(&schemas(), url, flavour, server_id, position, start)
}

/// Reads the schemas of another name than `t`.
pub fn tail_in(
    schemas: &Schemas,
    url: &str,
    flavour: Flavour,
    server_id: u32,
    position: &str,
    start: StartPosition,
) -> BinlogTestReader {
    let settings = reader::BinlogReaderSettings {
        url: url.to_owned(),
        server_id,
        schemas: schemas.clone(),
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
    let feed_sender = FeedSender::new(send, cancel.clone());
    let reader = reader::BinlogReader::new(settings, feed_sender, blind.clone()).unwrap();
    std::thread::spawn(move || reader.run());
    BinlogTestReader {
        feed,
        blind,
        cancel,
    }
}

impl BinlogTestReader {
    pub fn batch(&self) -> Option<BinlogBatch> {
        match self.feed.recv_timeout(Duration::from_secs(5)).ok()? {
            SourceMessage::Binlog(batch) => Some(batch),
            other => panic!("{other:?}"),
        }
    }

    /// Reads until `count` transactions with watched rows came.
    pub fn transactions(
        &self,
        count: usize,
    ) -> (Vec<Arc<ChangeTransaction>>, Vec<ControlRow>, String) {
        let (mut all, mut control_rows, mut position) = (Vec::new(), Vec::new(), String::new());
        while all.len() < count {
            let batch = self.batch().unwrap_or_else(|| {
                panic!("only {} came; blind: {:?}", all.len(), self.blind.reason())
            });
            for item in batch.items {
                all.push(item.transaction);
                control_rows.extend(item.control_rows);
            }
            position = batch.position;
        }
        (all, control_rows, position)
    }

    /// Reads until `count` transactions came whose rows are watched or missing.
    pub fn items(&self, count: usize) -> Vec<WatchedTransaction> {
        let mut all = Vec::new();
        while all.len() < count {
            let batch = self.batch().unwrap_or_else(|| {
                panic!("only {} came; blind: {:?}", all.len(), self.blind.reason())
            });
            all.extend(batch.items);
        }
        all
    }

    /// Waits until nothing keeps the reader from seeing.
    pub async fn until_it_sees(&self) {
        let begun = Instant::now();
        while let Some(reason) = self.blind.reason() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{reason}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
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

pub async fn position(server: &TestServer) -> String {
    preflight::position(&mut server.conn().await, server.flavour())
        .await
        .unwrap()
}
