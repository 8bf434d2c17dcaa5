//! What the black-box tests stand on: the real binary as a process, and clients of it that know
//! the contract's words and nothing of the code. Included by `tests/api/`; imports nothing of the
//! `hubbub` library.

pub mod account;
pub mod admin;
pub mod api;
pub mod broken_chat;
pub mod chatter;
pub mod dice;
pub mod eventually;
pub mod follower;
pub mod load_test;
pub mod many_rooms;
pub mod native;
pub mod native_door;
pub mod nginx;
pub mod nodes;
pub mod own_postgres;
pub mod party;
pub mod postgres;
pub mod proxy;
pub mod psql;
pub mod raw;
pub mod redis_monitor;
pub mod redis_server;
pub mod roamer;
pub mod sender;
pub mod server;
pub mod setup;
pub mod shape;
pub mod socket;
pub mod stalled;
pub mod tokens;
#[macro_use]
pub mod variants;

pub use account::Account;
pub use api::{Answer, Api};
pub use chatter::{Chatter, Crowd, Phase};
pub use eventually::eventually;
pub use follower::Follower;
pub use load_test::LoadTest;
pub use native::Native;
pub use proxy::Proxy;
pub use raw::RawSocket;
pub use sender::Sender;
pub use server::Server;
pub use setup::Setup;
pub use shape::{shape, shape_all};
pub use socket::Socket;
pub use stalled::Stalled;

/// Whether the long tests are asked for.
pub fn nightly() -> bool {
    std::env::var_os("HUBBUB_NIGHTLY").is_some()
}

/// Lets this process, and the servers it starts, hold so many files open each.
pub fn raise_the_limit_of_open_files(number: u32) {
    let pid = std::process::id().to_string();
    let limit = format!("--nofile={number}");
    let done = std::process::Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(done.is_ok_and(|status| status.success()), "{number} open files must be allowed");
}
