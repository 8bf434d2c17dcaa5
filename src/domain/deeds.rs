//! Acts of admins as they are recorded: who and from where, what, to whom, before and after. Made
//! by whoever carries one out, kept by the store. Must never hold a message's text, a token, or
//! anything else that somebody else wrote: ids, times and numbers say enough.

use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

use super::{EventId, RoomId, Timestamp, UserId};

/// Who acts, from where and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The admin; none for the command line.
    pub by: Option<UserId>,
    /// From where; none for the command line.
    pub ip: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
}

/// What an admin may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An account is off.
    DisableUser,
    /// It is on again.
    EnableUser,
    /// All logins of a user end.
    SignOutUser,
    /// A room is closed for good.
    CloseRoom,
    /// Somebody's sockets lose a room.
    Kick,
    /// Somebody may not be in a room.
    Ban,
    /// He may again.
    Unban,
    /// A message is taken away.
    DeleteMessage,
    /// A word to all, or to a room.
    Announce,
}

impl Action {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DisableUser => "user.disable",
            Self::EnableUser => "user.enable",
            Self::SignOutUser => "user.sign_out",
            Self::CloseRoom => "room.close",
            Self::Kick => "room.kick",
            Self::Ban => "room.ban",
            Self::Unban => "room.unban",
            Self::DeleteMessage => "message.delete",
            Self::Announce => "announce",
        }
    }
}

/// To whom or what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An account.
    User(UserId),
    /// A room, or somebody in it: `after` says whom.
    Room(RoomId),
    /// A message.
    Message(EventId),
    /// All of them.
    Everybody,
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(out, "user:{id}"),
            Self::Room(id) => write!(out, "room:{id}"),
            Self::Message(id) => write!(out, "message:{id}"),
            Self::Everybody => out.write_str("everybody"),
        }
    }
}

/// One line of the audit, about to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Who, from where, when.
    pub deed: Deed,
    /// What.
    pub action: Action,
    /// To whom or what.
    pub target: Target,
    /// How it was; none when there is nothing to say.
    pub before: Option<Value>,
    /// How it is.
    pub after: Option<Value>,
}

impl Deed {
    /// This deed was that.
    #[must_use]
    pub const fn was(
        self,
        action: Action,
        target: Target,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Record {
        Record { deed: self, action, target, before, after }
    }
}
