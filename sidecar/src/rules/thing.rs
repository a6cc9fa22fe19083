//! What pairs are made of.

use super::tx::account_of;
use super::types::{EventView, Image, Seat};
use crate::change::{Change, Event};
use rhai::Dynamic;
use std::sync::Arc;

/// A row or an event that is or was half of a pair.
#[derive(Debug, Clone)]
pub enum Thing {
    /// With its number in its transaction.
    Row(Arc<Change>, u32),
    Event(Arc<Event>),
}

impl Thing {
    pub fn account(&self) -> &str {
        match self {
            Thing::Row(change, _) => change
                .after
                .as_ref()
                .and_then(|image| account_of(change, image))
                .unwrap_or_default(),
            Thing::Event(event) => &event.body.account_id,
        }
    }

    /// When an event happened, as its sender says.
    pub fn occurred_us(&self) -> Option<i64> {
        match self {
            Thing::Row(..) => None,
            Thing::Event(event) => Some(event.body.occurred_us),
        }
    }

    /// As rules see it: the row's after-image, or the event.
    pub fn view(&self, position: &Arc<str>) -> Dynamic {
        match self {
            Thing::Row(change, row) => {
                let seat = Seat {
                    position: Arc::clone(position),
                    row: *row,
                };
                Image::of(change, true, seat).map_or(Dynamic::UNIT, Dynamic::from)
            }
            Thing::Event(event) => Dynamic::from(EventView(Arc::clone(event))),
        }
    }
}
