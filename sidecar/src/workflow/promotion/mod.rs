//! Promotion: carries out what a person asks. Reads what is in force and what was seen,
//! decides, and puts the next set in force if nobody was faster; then it decides again.

pub mod activity_repo;
mod approve;
mod carry_out;
mod case_results;
mod context;
pub mod proposals_repo;
mod publish;
mod request;
mod step_back;
pub mod two_people;

pub use approve::approve;
pub use carry_out::carry_out;
pub use case_results::CaseResultCache;
pub use context::PromotionContext;
pub use request::{PromotionRefusal, PromotionRequest, PromotionResult};
pub use step_back::{Demotion, MAX_EMERGENCY_MINUTES, demote, roll_back};
