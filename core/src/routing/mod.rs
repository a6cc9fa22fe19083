//! Routing: which channel takes an order, and why the others don't (seed 002 §4.4).
//! Rules and the details that fill them are tables; a change is a new version. The
//! claim asks `ActiveRouting::current` in its own transaction, `choose` decides, and
//! `limits` holds the cumulative limits to the cent.

mod no_route;
mod problem;
pub mod repo;
mod route;
pub mod rows;
mod scope;

pub mod choice;
pub mod conditions;
pub mod configuration;
pub mod limits;

pub use no_route::NoRouteAction;
pub use problem::RoutingProblem;
pub use route::{RejectedChannel, Route};
pub use scope::LimitScope;

pub use choice::{ChannelStatus, RouteDecision, choose};
pub use configuration::active::{ActiveRouting, UnusableRouting};
pub use configuration::draft::RoutingDraft;
pub use configuration::set::RoutingSet;
pub use configuration::{active, change, file};
