//! What is kept. The only user of `entity` and of sea-orm: everybody else speaks in rows and
//! events of `domain`. Must not know rooms, sockets or HTTP.

mod accounts;
mod audit;
mod connect;
mod error;
mod events;
mod logins;
mod marks;
mod members;
mod positions;
mod queries;
mod rooms;
mod rows;
mod standing;
mod tickets;
mod turns;
mod upkeep;
pub mod writer;

use std::sync::Arc;

use sea_orm::DatabaseConnection;

pub use error::StoreError;
pub use positions::{POSITIONS_AT_A_TIME, Position};
use queries::{For, Queries};
pub use rooms::CONTROL_ROOM;
pub use rows::{
    LoginRow, MemberRow, NewUser, RecordRow, RefreshRow, RoomRows, Rotation, TicketRow, UserRow,
};
use turns::Turns;
pub use writer::{
    Append, ChangeMembers, Changed, CheckedRoles, Committed, MemberChange, MembersChanged, Outcome,
    Writer, WriterFigures, WriterPermit,
};

/// The store. Cheap to clone; one a process.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

/// On PostgreSQL both are one pool; on SQLite `write` is the one connection that writes, the
/// Writer's too.
#[derive(Debug)]
struct Inner {
    read: DatabaseConnection,
    write: DatabaseConnection,
    writer: Writer,
    queries: Queries,
    turns: Turns,
}

impl Store {
    /// The Writer: the one way for events into the store.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }
}
