//! Pages of the outbox on their way through reading, publishing and deleting.

use crate::orders::repo::OutboxRow;
use crate::outbox_relay::page::PageInFlight;
use crate::outbox_relay::{
    MAX_PAGES_IN_FLIGHT, MAX_PAGES_PER_DRAIN, MAX_ROWS_PER_PAGE, OutboxRelay,
};
use futures_util::future::join3;
use rdkafka::producer::FutureProducer;
use std::collections::VecDeque;

/// Pages between the database and Kafka.
struct PagesUnderWay {
    /// The page that was read and is not produced yet.
    read: Option<Vec<OutboxRow>>,
    /// Transaction id of the last row that was read.
    cursor: String,
    page_count: usize,
    /// Whether there may be rows behind the cursor.
    more: bool,
    in_flight: VecDeque<PageInFlight>,
}

impl PagesUnderWay {
    fn came(&mut self, rows: Vec<OutboxRow>) {
        self.page_count += 1;
        self.more = rows.len() == MAX_ROWS_PER_PAGE && self.page_count < MAX_PAGES_PER_DRAIN;
        if let Some(last) = rows.last() {
            self.cursor.clone_from(&last.tx_id);
            self.read = Some(rows);
        }
    }

    /// Takes the page to wait for, if it is time: enough are under way, or no others come.
    fn oldest(&mut self) -> Option<PageInFlight> {
        let is_due =
            self.in_flight.len() >= MAX_PAGES_IN_FLIGHT || (self.read.is_none() && !self.more);
        is_due.then(|| self.in_flight.pop_front()).flatten()
    }

    /// Nothing more is produced; what is under way is still waited for.
    fn end(&mut self) {
        (self.read, self.more) = (None, false);
    }
}

impl OutboxRelay {
    /// Publishes pages until one isn't full; returns how many rows went.
    pub(super) async fn drain(&mut self, producer: &FutureProducer) -> anyhow::Result<usize> {
        let mut pages = PagesUnderWay {
            read: None,
            cursor: String::new(),
            page_count: 0,
            more: true,
            in_flight: VecDeque::new(),
        };
        let mut gone = 0;
        while pages.more || pages.read.is_some() || !pages.in_flight.is_empty() {
            if (pages.more || pages.read.is_some()) && !self.hold_lease().await? {
                pages.end();
            }
            gone += self.step(producer, &mut pages).await?;
        }
        Ok(gone)
    }

    /// Deletes the oldest page once it is acknowledged, reads the next, and produces the one
    /// that was read, at once: the database works while events are made.
    async fn step(
        &mut self,
        producer: &FutureProducer,
        pages: &mut PagesUnderWay,
    ) -> anyhow::Result<usize> {
        let (oldest, rows, held) = (pages.oldest(), pages.read.take(), self.held);
        let this = &*self;
        let finish = async {
            match oldest {
                Some(page) => this.finish(page).await,
                None => Ok(0),
            }
        };
        let read = async {
            match pages.more {
                true => this.read(&pages.cursor).await.map(Some),
                false => Ok(None),
            }
        };
        let send = async {
            match rows {
                Some(rows) => PageInFlight::send(producer, rows, held).await.map(Some),
                None => Ok(None),
            }
        };
        let (finished, next, sent) = join3(finish, read, send).await;
        let gone = finished?;
        let is_cut = match sent? {
            Some((page, is_whole)) => {
                pages.in_flight.push_back(page);
                !is_whole
            }
            None => false,
        };
        if let Some(rows) = next? {
            self.show_backlog(&rows, pages.page_count + 1).await?;
            pages.came(rows);
        }
        if is_cut {
            pages.end();
        }
        Ok(gone)
    }
}
