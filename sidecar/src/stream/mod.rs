//! The stream: what every source becomes. Each hands over batches in its own order, with the
//! position that they reach.

pub mod batches;
pub mod change;
pub mod control_rows;
pub mod feed;
pub mod gtid;
mod gtid_set;
mod gtid_text;
pub mod mysql_gtids;
pub mod offsets;
pub mod origins;
pub mod position;
pub mod value_codec;
pub mod wire;
