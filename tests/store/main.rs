//! The store's contract: every test runs on SQLite and on PostgreSQL alike. Must not mock either.

mod accounts;
mod acts;
mod audit;
mod bans;
mod home;
mod logins;
mod marks;
mod model;
mod pages;
#[path = "../support/postgres.rs"]
mod postgres;
mod races;
mod remembered;
mod rooms;
mod startup;
mod tickets;
mod writer;
