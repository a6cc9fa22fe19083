//! Bad input: each is a 4xx with a stable code and a message that names the
//! field, nothing is written, and the key is not burnt.

mod notifications;
mod requests;
