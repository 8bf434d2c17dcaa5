//! Rooms: who is in them, the order of what is said in them, and the way to each socket.
//! [`Rooms`] is the one handle that other layers hold. Must not know HTTP or a type of `session/`.

use crate::domain::figures::{Load, RoomDetail, RoomLoad};
use crate::domain::{Identity, LoginId, Posted, RoomId, RoomKind, Timestamp, UserId};
use crate::store::MemberChange;

/// Why a post or an act was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The room's permits, the Writer or a Shard are full, or the store is away: again in a moment.
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

/// A message to post.
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

/// An act on users or logins; goes through the hidden `control` room.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// These logins have ended: their sockets close (4001 on plain sockets).
    LoginsEnded {
        /// Which.
        logins: Vec<LoginId>,
    },
    /// The account is off: its sockets close.
    UserDisabled {
        /// Whose.
        user: UserId,
    },
}

/// The handle on all rooms. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rooms {
    _p: (),
}

#[allow(missing_docs, clippy::all, clippy::pedantic, unused)]
impl Rooms {
    /// Stores a message and sends it to the room's sockets; starts the room when it isn't live.
    /// Checks membership itself. Answered once it is stored.
    pub async fn post(&self, room: RoomId, post: Post) -> Result<Posted, Refused> {
        todo!()
    }
    /// Adds or removes a member; checks what `by` may; tells the sockets; closes a removed member's with 4403.
    /// Nothing changed is `Ok` too.
    pub async fn change_members(
        &self,
        room: RoomId,
        by: UserId,
        change: MemberChange,
    ) -> Result<(), Refused> {
        todo!()
    }
    /// Closes the room for good (the caller has checked who may): its row, then its sockets with 4404.
    /// False when it was closed before.
    pub async fn close(&self, room: RoomId) -> Result<bool, Refused> {
        todo!()
    }
    /// The room's row changed (name): a live room reads it anew.
    pub fn reload(&self, room: RoomId) {
        todo!()
    }
    /// Stores the act in `control` and carries it out on live sockets.
    pub async fn act(&self, by: Option<UserId>, act: Act) -> Result<(), Refused> {
        todo!()
    }
    /// Rooms with at least one socket, by their gauges, sorted by name then id.
    pub fn live(&self) -> Vec<LiveRoom> {
        todo!()
    }
    /// Users with at least one socket, by id.
    pub fn online(&self) -> Vec<OnlineUser> {
        todo!()
    }
    /// Every live room's own figures, asked of the room actors; at most one round a second, whoever asks.
    /// The time is when they were asked.
    pub async fn loads(&self) -> (Timestamp, std::sync::Arc<Vec<RoomLoad>>) {
        todo!()
    }
    /// One live room with its people and sockets, at most `limit` of each. None: it isn't live.
    pub async fn detail(&self, room: RoomId, limit: usize) -> Option<RoomDetail> {
        todo!()
    }
    /// All rooms added up, with the process's own figures.
    pub async fn load(&self) -> (Timestamp, Load) {
        todo!()
    }
}
