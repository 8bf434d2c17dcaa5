//! Rooms: who is in them, the order of what is said in them, and the way to each socket.
//! [`Rooms`] is the one handle that other layers hold. Must not know HTTP or a type of `session/`.
//!
//! In reading order: [`state`] and [`presence`] (pure), [`room`] (the actor), [`posting`] (from a
//! post to everybody), [`registry`], [`fanout`] and [`outlet`] (the way to the sockets).

mod activity;
pub mod admission;
pub mod asking;
pub mod budget;
pub mod callers;
pub mod chats;
pub mod control;
pub mod directory;
#[cfg(test)]
mod elsewhere;
pub mod fanout;
pub mod figures;
mod gathering;
pub mod gauge;
pub mod group;
mod handle;
pub mod joining;
pub mod kept;
pub mod ledger;
pub mod light;
mod lists;
pub mod membership;
#[cfg(test)]
mod model;
pub mod moderating;
pub mod nodes;
mod others;
pub mod outlet;
mod past;
pub mod patience;
mod positions;
pub mod posting;
pub mod presence;
#[cfg(test)]
mod recovery;
pub mod registry;
pub mod resume;
pub mod room;
pub mod seat;
mod seating;
pub mod shards;
pub mod shedding;
mod sitting;
pub mod state;
pub mod stays;
pub mod step;
pub mod telling;
pub mod ticket;
pub mod window;

pub use control::Act;
pub use handle::Rooms;
pub use outlet::{Outlet, Slot};
pub use room::RoomHandle;
pub use seat::Seat;
pub use shards::{ShardHandle, Shards};

use crate::domain::{Identity, RoomId, RoomKind, Timestamp, UserId};

/// Why a post or an act was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The room's permits, the node's bytes or the Writer are full, or the store is away: again
    /// in a moment.
    #[error("the room is busy, try again")]
    Busy,
    /// The database said neither yes nor no: again with the same `client_id`.
    #[error("it is not known whether this was stored, send it again with the same client_id")]
    UnknownOutcome,
    /// Not a member, or his role doesn't allow it.
    #[error("You do not have permission to perform this action.")]
    Forbidden,
    /// No such room, or closed.
    #[error("Not found.")]
    NotFound,
    /// What was asked makes no sense; the text says why.
    #[error("{0}")]
    Invalid(&'static str),
    /// A fault of the server's; logged where it happened.
    #[error("internal error")]
    Internal,
}

/// A message that a caller posts, not from a socket.
#[derive(Clone, Debug)]
pub struct Post {
    /// Whose.
    pub by: Identity,
    /// The text.
    pub content: String,
    /// A guest's nick in this message.
    pub nick_name: Option<String>,
    /// A guest's JSON value, when it says more than `content`.
    pub raw: Option<String>,
    /// See `NewEvent::client_id`.
    pub client_id: Option<String>,
}

/// A live room, as its gauge says; no question to the room itself.
#[derive(Clone, Debug)]
pub struct LiveRoom {
    /// Its id.
    pub id: RoomId,
    /// Its kind.
    pub kind: RoomKind,
    /// Its name.
    pub name: Option<String>,
    /// Made by a guest.
    pub by_guest: bool,
    /// People in it.
    pub active_users: u64,
    /// Sockets in it.
    pub sessions: u64,
}

/// A user who is online.
#[derive(Clone, Debug)]
pub struct OnlineUser {
    /// Who.
    pub id: UserId,
    /// His name.
    pub username: String,
    /// Since when he has a socket.
    pub since: Timestamp,
}
