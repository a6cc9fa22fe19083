//! Somebody with rights on the database: what each program's user can't do, and what
//! closing a breaker by hand does not achieve.

mod breakers;
mod guard_rows;
mod thefts;
mod upgrade;
mod users;
