//! Memories of rules: keyed logs, windows, holds of accounts, watermarks, replay marks.

pub mod account_holds;
pub mod arrival_times;
pub mod kept_columns;
pub mod key_window;
pub mod keyed_log;
pub mod paired_item;
pub mod read_bounds;
pub mod replay_marks;
pub mod source_clock;
pub mod watermarks;
pub mod window_memory;
pub mod window_state;
