//! Views: rows, events, windows and facts as the code of a rule sees them.
//! Each is read where it lies; values are converted, and reads traced, when they are asked
//! for.

pub mod event_view;
pub mod fact_view;
pub mod image_view;
pub mod limits;
pub mod row_position;
pub mod row_view;
pub mod trace;
pub mod value_kind;
pub mod values;
pub mod violation;
pub mod window_sum;
pub mod window_totals;
pub mod window_view;
