//! What the server says of itself to operators. Called at the start by `cli`, and by whoever
//! counts something. Must not know rooms, sockets or the database.

pub mod line;
pub mod log;
pub mod metrics;
