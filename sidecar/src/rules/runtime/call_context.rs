//! The context of a call: values that a rule may ask for by name, wherever it stands: its
//! own parameters, and the last known balance of any account. It travels with the call as its tag.

use crate::rules::frozen::sharded_map::ShardedMap;
use crate::rules::frozen::state_frames::{FRAME_BYTES, FrameSink, hand_on};
use crate::rules::text::header::RuleHeader;
use crate::rules::text::params::RuleParam;
use crate::rules::views::image_view::ImageView;
use crate::rules::views::row_position::RowPosition;
use crate::rules::views::trace::{self, TracedRead};
use crate::rules::views::values::{RhaiResult, fail};
use crate::stream::change::{ChangeOp, ChangeTransaction, ColumnValue, RowChange};
use crate::stream::value_codec::FrameNames;
use crate::stream::wire::{ByteReader, put_number, put_text};
use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Balances that are remembered for certain (about 400 bytes each); up to as many
/// older ones are kept beside them.
const MAX_BALANCES: usize = 100_000;

/// The last balance row of each account and currency that the stream has brought.
/// Unknown until its first change after a start.
#[derive(Debug, Clone, Default)]
pub struct KnownBalances {
    young: ShardedMap<KnownBalance>,
    /// The generation before: what is not changed again goes with it. Asking keeps
    /// nothing: what is known must depend on the stream alone, and not on which rules
    /// ask in the same worker.
    old: ShardedMap<KnownBalance>,
}

#[derive(Debug, Clone)]
struct KnownBalance {
    row: Arc<RowChange>,
    row_position: RowPosition,
    version: i64,
}

/// Shared with the calls that ask.
pub type SharedBalances = Arc<Mutex<KnownBalances>>;

impl KnownBalances {
    /// Remembers every balance row of a transaction. A row that is older than what is
    /// known (a redelivery) changes nothing.
    pub fn learn(&mut self, transaction: &ChangeTransaction) {
        for (at, change) in transaction
            .changes
            .iter()
            .enumerate()
            .filter(|(_, c)| c.table.name == "balance")
        {
            let Some(key) = key_of(change) else { continue };
            if change.op == ChangeOp::Delete {
                self.young.remove(&key);
                self.old.remove(&key);
                continue;
            }
            let known = KnownBalance {
                version: version_of(change),
                row_position: RowPosition::new(&transaction.position, at),
                row: Arc::new(RowChange {
                    table: Arc::clone(&change.table),
                    op: change.op,
                    before: None,
                    after: change.after.clone(),
                }),
            };
            let older = self
                .young
                .get(&key)
                .or_else(|| self.old.get(&key))
                .is_some_and(|k| k.version > known.version);
            if !older {
                self.keep(key, known);
            }
        }
    }

    fn keep(&mut self, key: Arc<str>, known: KnownBalance) {
        if self.young.len() >= MAX_BALANCES && self.young.get(&key).is_none() {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, known);
    }

    /// Writes both generations; what is written is freed.
    pub fn write(mut self, out: &mut dyn FrameSink) -> io::Result<()> {
        let (mut frame, mut names) = (Vec::new(), FrameNames::default());
        for (generation, map) in [&mut self.young, &mut self.old].into_iter().enumerate() {
            for shard in map.take_shards() {
                for (key, known) in shard.iter() {
                    frame.push(u8::from(generation == 1));
                    put_text(&mut frame, key);
                    names.put_position(&mut frame, &known.row_position.position);
                    put_number(&mut frame, u64::from(known.row_position.row));
                    names.put_row(&mut frame, &known.row);
                    if hand_on(out, &mut frame, FRAME_BYTES)? {
                        names = FrameNames::default();
                    }
                }
            }
        }
        hand_on(out, &mut frame, 0)?;
        out.frame(&[])
    }

    /// Reads what [`KnownBalances::write`] wrote; None if it is not that.
    pub fn read<'a>(frames: impl Iterator<Item = &'a [u8]>) -> Option<KnownBalances> {
        let (mut read, mut tables) = (KnownBalances::default(), Vec::new());
        for frame in frames {
            let (mut bytes, mut names) = (ByteReader(frame), FrameNames::default());
            while !bytes.is_empty() {
                let is_old = bytes.flag()?;
                let key = bytes.text()?.into();
                let position = names.position(&mut bytes)?;
                let row_position = RowPosition {
                    position,
                    row: u32::try_from(bytes.number()?).ok()?,
                };
                let row = Arc::new(names.row(&mut bytes, &mut tables)?);
                let known = KnownBalance {
                    version: version_of(&row),
                    row_position,
                    row,
                };
                match is_old {
                    true => read.old.insert(key, known),
                    false => read.young.insert(key, known),
                };
            }
        }
        Some(read)
    }

    fn of(&self, account: &str, currency: &str) -> Option<KnownBalance> {
        let key = balance_key(account, currency);
        self.young.get(&key).or_else(|| self.old.get(&key)).cloned()
    }
}

fn text<'a>(change: &'a RowChange, column: &str) -> Option<&'a str> {
    let image = change.after.as_ref().or(change.before.as_ref())?;
    match image.get(change.table.column(column)?)? {
        ColumnValue::Text(text) => Some(text),
        _ => None,
    }
}

fn key_of(change: &RowChange) -> Option<Arc<str>> {
    let account = text(change, "account_id")?;
    Some(balance_key(account, text(change, "currency")?))
}

fn balance_key(account: &str, currency: &str) -> Arc<str> {
    format!("{}:{account}{currency}", account.len()).into()
}

fn version_of(change: &RowChange) -> i64 {
    let at = change.table.column("version");
    match at
        .zip(change.after.as_ref())
        .and_then(|(at, image)| image.get(at))
    {
        Some(ColumnValue::Int(version)) => *version,
        _ => 0,
    }
}

/// The tag of a call.
#[derive(Clone)]
pub struct CallContext {
    pub header: Arc<RuleHeader>,
    pub balances: SharedBalances,
}

fn call_context(context: &NativeCallContext) -> RhaiResult<CallContext> {
    let here = context
        .tag()
        .and_then(|tag| tag.read_lock::<CallContext>().map(|here| here.clone()));
    here.map_or_else(
        || fail("this can only be asked for by a rule".to_owned()),
        Ok,
    )
}

fn param(context: NativeCallContext, name: &str) -> RhaiResult<Dynamic> {
    let here = call_context(&context)?;
    here.header
        .params
        .get(name)
        .map(RuleParam::to_dynamic)
        .map_or_else(
            || {
                let known: Vec<&str> = here.header.params.keys().map(String::as_str).collect();
                fail(format!(
                    "[params] of the header has no {name:?}: it has {}",
                    known.join(", ")
                ))
            },
            Ok,
        )
}

fn balance_of(context: NativeCallContext, account: &str, currency: &str) -> RhaiResult<Dynamic> {
    let here = call_context(&context)?;
    let known = here
        .balances
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .of(account, currency);
    trace::note(|| TracedRead {
        position: known
            .as_ref()
            .map(|k| k.row_position.position.to_string())
            .unwrap_or_default(),
        of: "balances".to_owned(),
        name: format!("balance_of({account:?}, {currency:?})"),
        value: known.as_ref().map(|k| format!("version {}", k.version)),
    });
    match known {
        Some(known) => ImageView::of(&known.row, true, known.row_position).map(Dynamic::from),
        None => Ok(Dynamic::UNIT),
    }
}

pub fn register(engine: &mut Engine) {
    engine
        .register_fn(
            "param",
            |context: NativeCallContext, name: ImmutableString| param(context, &name),
        )
        .register_fn(
            "balance_of",
            |context: NativeCallContext, account: ImmutableString, currency: ImmutableString| {
                balance_of(context, &account, &currency)
            },
        );
}
