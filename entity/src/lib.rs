//! The rows that Hubbub keeps, one file a table. Called by the store alone, which turns them into
//! the words of the domain. Times are microseconds since 1970, the same on every database.

pub mod audit;
pub mod ban;
pub mod event;
pub mod login;
pub mod membership;
pub mod refresh_token;
pub mod room;
pub mod secret;
pub mod ticket;
pub mod user;
