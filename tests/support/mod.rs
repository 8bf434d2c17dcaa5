//! What the black-box tests stand on: the real binary as a process, and clients of it that know
//! the contract's words and nothing of the code. Included by `tests/api/`; imports nothing of the
//! `hubbub` library.

pub mod account;
pub mod admin;
pub mod api;
pub mod eventually;
pub mod follower;
pub mod native;
pub mod native_door;
pub mod postgres;
pub mod proxy;
pub mod psql;
pub mod raw;
pub mod server;
pub mod setup;
pub mod shape;
pub mod socket;
pub mod tokens;
#[macro_use]
pub mod variants;

pub use account::Account;
pub use api::{Answer, Api};
pub use eventually::eventually;
pub use follower::Follower;
pub use native::Native;
pub use proxy::Proxy;
pub use raw::RawSocket;
pub use server::Server;
pub use setup::Setup;
pub use shape::{shape, shape_all};
pub use socket::Socket;

/// Whether the long tests are asked for.
pub fn nightly() -> bool {
    std::env::var_os("HUBBUB_NIGHTLY").is_some()
}
