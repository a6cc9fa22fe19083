//! Access: who may call, by which proof, and what each may do. `routes` is the one table
//! of routes and grants; nothing here speaks HTTP statuses.
//!
//! | proof | file |
//! |---|---|
//! | access token of an issuer (OAuth 2.0) | `token`, `token_kind`, `issuer_keys` |
//! | request signed with an API key | `signed`, `nonces` |
//! | bearer token of the client's own | `control` |
//!
//! Amounts of a call are in the settings; those of an hour are counted in `allowance`.

pub mod routes;

mod allowance;
mod allowance_repo;
mod caller;
mod client;
mod control;
mod end_user;
mod issuer_keys;
mod nonce_repo;
mod nonces;
mod refusal;
mod scope;
mod signed;
mod token;
mod token_kind;

pub use allowance::TakenAmount;
pub use caller::Caller;
pub use control::{AccessControl, RequestProof};
pub use refusal::AccessRefusal;
