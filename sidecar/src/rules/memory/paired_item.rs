//! Items of pairs: rows and events.

use crate::rules::views::event_view::EventView;
use crate::rules::views::image_view::ImageView;
use crate::rules::views::row_position::RowPosition;
use crate::rules::views::values::account_of;
use crate::stream::change::{ColumnValue, ReceivedEvent, RowChange};
use rhai::Dynamic;
use std::sync::Arc;

/// Bytes of a row without its values, of a value, and of an event, about, without texts.
const ROW_BYTES: usize = 80;
const VALUE_BYTES: usize = 40;
const EVENT_BYTES: usize = 400;

/// A row or an event that is or was half of a pair.
#[derive(Debug, Clone)]
pub enum PairedItem {
    /// With its number in its transaction.
    Row(Arc<RowChange>, u32),
    Event(Arc<ReceivedEvent>),
}

impl PairedItem {
    /// Memory that it takes, about, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            PairedItem::Row(change, _) => {
                let image = change.after.as_deref().unwrap_or_default();
                let texts: usize = image.iter().map(ColumnValue::text_bytes).sum();
                ROW_BYTES + image.len() * VALUE_BYTES + texts
            }
            PairedItem::Event(event) => {
                let body = &event.body;
                let texts = [&body.id, &body.kind, &body.account_id, &body.biz_no];
                let optional = [&body.payer_account_id, &body.client];
                let texts = texts.into_iter().chain(optional.into_iter().flatten());
                EVENT_BYTES + texts.map(String::len).sum::<usize>()
            }
        }
    }

    pub fn account(&self) -> &str {
        match self {
            PairedItem::Row(change, _) => change
                .after
                .as_ref()
                .and_then(|image| account_of(change, image))
                .unwrap_or_default(),
            PairedItem::Event(event) => &event.body.account_id,
        }
    }

    /// The client that it names, if it does.
    pub fn client(&self) -> Option<&str> {
        let client = match self {
            PairedItem::Row(change, _) => {
                let image = change.after.as_ref()?;
                match image.get(change.table.column("client")?)? {
                    ColumnValue::Text(text) => text,
                    _ => return None,
                }
            }
            PairedItem::Event(event) => event.body.client.as_deref()?,
        };
        // What was booked before clients were kept has an empty one.
        (!client.is_empty()).then_some(client)
    }

    /// When an event happened, as its sender says.
    pub fn occurred_us(&self) -> Option<i64> {
        match self {
            PairedItem::Row(..) => None,
            PairedItem::Event(event) => Some(event.body.occurred_us),
        }
    }

    /// The view that rules get of it: the row's after-image, or the event.
    pub fn view(&self, position: &Arc<str>) -> Dynamic {
        match self {
            PairedItem::Row(change, row) => {
                let row_position = RowPosition {
                    position: Arc::clone(position),
                    row: *row,
                };
                ImageView::of(change, true, row_position).map_or(Dynamic::UNIT, Dynamic::from)
            }
            PairedItem::Event(event) => Dynamic::from(EventView(Arc::clone(event))),
        }
    }
}
