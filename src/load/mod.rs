//! The load tester: a client of any server of the plain contract, and of `hubbub.v1`. It sends when
//! a message is due, not when the last one was answered, and counts not only how fast deliveries
//! come but whether each came, once, and in the same order to all.
//!
//! Called by `cli/load` alone. It imports the words (`protocol`, `domain`) and nothing of the server:
//! what it measures it sees from outside.

mod accounts;
mod admin;
mod cpu;
mod driver;
pub mod expect;
pub mod fault;
mod handshake;
mod http;
mod order;
mod pace;
pub mod page;
mod peer;
mod plan;
mod plots;
mod process;
pub mod report;
mod run;
pub mod scenario;
pub mod span;
mod speech;
mod summing;
pub mod table;
mod tag;
mod tally;
mod target;
mod timer;
mod wire;

pub use report::Report;
pub use run::{Server, Step, run};
pub use scenario::Scenario;
