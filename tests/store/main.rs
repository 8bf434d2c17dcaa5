//! The store's contract: every test runs on SQLite and on PostgreSQL alike. Must not mock either.

#[path = "../support/postgres.rs"]
mod postgres;

mod accounts;
mod bench;
mod logins;
mod pages;
mod rooms;
mod startup;
mod writer;
