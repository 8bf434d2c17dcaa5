//! Rooms as rows: their kinds, and what is kept of one besides its events and members.

use serde::{Deserialize, Serialize};

use super::{RoomId, Timestamp, UserId};

/// What kind of room it is; decides who may enter and which dialect its sockets speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomKind {
    /// A public room by name (random, multi, pair).
    Named,
    /// An invited room (shh): its members join by its id.
    Room,
    /// A group (chats).
    Chat,
    /// The private chat of two users (chats, pair).
    Pair,
    /// The hidden room of acts on users and logins.
    Control,
}

impl RoomKind {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Room => "room",
            Self::Chat => "chat",
            Self::Pair => "pair",
            Self::Control => "control",
        }
    }

    /// As stored, read back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Named, Self::Room, Self::Chat, Self::Pair, Self::Control]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Whether only those with a membership row may enter.
    #[must_use]
    pub const fn has_members(self) -> bool {
        matches!(self, Self::Room | Self::Chat | Self::Pair)
    }

    /// `group` and private chats: what `/api/chats/` speaks of.
    #[must_use]
    pub const fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::Pair)
    }
}

/// A room's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// Its id.
    pub id: RoomId,
    /// Its kind.
    pub kind: RoomKind,
    /// Its name; none for private chats and `control`.
    pub name: Option<String>,
    /// Stays in `/list_rooms/` when nobody is in it: somebody `POSTed` it.
    pub listed: bool,
    /// Made by a guest's connection or by an anonymous POST.
    pub by_guest: bool,
    /// The user who made it.
    pub created_by: Option<UserId>,
    /// Changes when the store is replaced; a resume across it starts over.
    pub epoch: String,
    /// `seq` of its newest event, 0 when there is none.
    pub last_seq: i64,
    /// Grows with each change of members or bans.
    pub member_rev: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted or closed.
    pub closed_at: Option<Timestamp>,
}
