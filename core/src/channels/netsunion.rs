//! 网联-like: the result comes in the reply; what is still in process is told
//! within minutes by a notification (seed 002 §4.3). 1003, a conflict with an
//! earlier request, is left out on purpose: it proves nothing about that one. 1005:
//! the payee's bank can't be reached through this channel.

use crate::channels::answer::ChannelAnswer::{
    Accepted, Declined, Duplicate, NoSuchTrade, NotHere, Succeeded,
};
use crate::channels::json::ResponseCodes;

pub const NETSUNION_CODES: ResponseCodes = ResponseCodes {
    id: "netsunion",
    on_pay: &[
        ("0000", Succeeded),
        ("1001", Declined),
        ("1002", Declined),
        ("1005", NotHere),
        ("2001", Accepted),
        ("9002", Duplicate),
    ],
    on_query: &[
        ("0000", Succeeded),
        ("1001", Declined),
        ("1002", Declined),
        ("1005", NotHere),
        ("2001", Accepted),
        ("9001", NoSuchTrade),
    ],
    on_notify: &[
        ("0000", Succeeded),
        ("1001", Declined),
        ("1002", Declined),
        ("1005", NotHere),
    ],
};
