//! The bus's contract: every test runs on the hub of one process and on a real Redis alike. What
//! only a server can do stands in `redis_only`. Must not mock either.

mod asking;
mod bounds;
mod health;
mod place;
mod presence;
#[path = "../support/proxy.rs"]
mod proxy;
mod redis_only;
#[path = "../support/redis_server.rs"]
mod redis_server;
mod rooms;
mod tls;
