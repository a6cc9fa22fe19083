//! 银联-like: the reply only says that the request was accepted, the result comes
//! by callback, and a success may be returned later (退票; seed 002 §4.1). 12, a
//! conflict with an earlier request, proves nothing about that one. 15 and 00N: the
//! payee's bank can't be reached through this channel.

use crate::channels::answer::ChannelAnswer::{
    Accepted, Declined, Duplicate, NoSuchTrade, NotHere, Returned, Succeeded,
};
use crate::channels::json::ResponseCodes;

pub const UNIONPAY_CODES: ResponseCodes = ResponseCodes {
    id: "unionpay",
    on_pay: &[
        ("00", Accepted),
        ("11", Declined),
        ("15", NotHere),
        ("03", Duplicate),
    ],
    on_query: &[
        ("00S", Succeeded),
        ("00F", Declined),
        ("00N", NotHere),
        ("00R", Returned),
        ("05", Accepted),
        ("34", NoSuchTrade),
    ],
    on_notify: &[
        ("00S", Succeeded),
        ("00F", Declined),
        ("00N", NotHere),
        ("00R", Returned),
    ],
};
