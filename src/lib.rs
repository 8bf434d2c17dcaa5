//! Hubbub, an actor-model chat server. The house in reading order, from the words up; imports
//! point up this list only:
//!
//! - [`domain`]: ids, names, texts, events, figures, the clock.
//! - [`protocol`]: frames, dialects, close codes.
//! - [`config`]: the settings, one plain struct a concern. [`telemetry`]: log and metrics.
//! - [`store`]: what is kept; the Writer commits in groups.
//! - [`bus`]: between nodes: Redis, or nothing.
//! - [`auth`]: tokens, passwords, logins.
//! - [`rooms`]: the registry, a room's actor, fan-out.
//! - [`stats`]: figures added up.
//! - [`session`]: one WebSocket: door, state, two engines. [`http`]: REST. [`web`]: the pages.
//! - [`load`]: the load tester, a client that sees all this from outside.
//! - [`app`]: wires it all, sinks first. [`cli`]: the subcommands.

pub mod app;
pub mod auth;
pub mod bus;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod load;
pub mod protocol;
pub mod rooms;
pub mod session;
pub mod stats;
pub mod store;
pub mod telemetry;
pub mod web;
