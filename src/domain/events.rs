//! Durable events: what a room's history is made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Author, EventId, RoomId, Timestamp, UserCard};

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Somebody's message.
    Message,
    /// A message's new text.
    Edit,
    /// A message taken away; its place stays.
    Delete,
    /// A reaction set or taken back.
    Reaction,
    /// A change of members.
    Member,
    /// An act on a user or a login; in `control` alone, JSON in `content`.
    Act,
}

impl EventKind {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Reaction => "reaction",
            Self::Member => "member",
            Self::Act => "act",
        }
    }

    /// Whether it changes a message that is there: what its `target` names.
    #[must_use]
    pub const fn acts_on_message(self) -> bool {
        matches!(self, Self::Edit | Self::Delete | Self::Reaction)
    }

    /// As stored, read back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Message, Self::Edit, Self::Delete, Self::Reaction, Self::Member, Self::Act]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// An event on its way to the store: everything but its `seq`.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Given by the room.
    pub id: EventId,
    /// Where.
    pub room: RoomId,
    /// What kind.
    pub kind: EventKind,
    /// By whom.
    pub author: Author,
    /// The author's card when he is a user.
    pub sender: Option<Arc<UserCard>>,
    /// The name a guest gave himself in this message.
    pub nick_name: Option<String>,
    /// The text; an edit's new one; a reaction's emoji; JSON for members and acts.
    pub content: String,
    /// A guest's JSON value as sent (at most 16 KiB), when it says more than `content` does. Of a
    /// reaction [`NewEvent::SET`] or [`NewEvent::TAKEN_BACK`].
    pub raw: Option<String>,
    /// The message it is about.
    pub target: Option<EventId>,
    /// The sender's own id for it: the same one again is the same message.
    pub client_id: Option<String>,
    /// Given by the room.
    pub created_at: Timestamp,
}

/// An event as stored.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Where.
    pub room: RoomId,
    /// Its place in the room's order: 1, 2, 3, … without gaps.
    pub seq: i64,
    /// What kind.
    pub kind: EventKind,
    /// By whom.
    pub author: Author,
    /// The author's card when he is a user.
    pub sender: Option<Arc<UserCard>>,
    /// The name a guest gave himself.
    pub nick_name: Option<String>,
    /// The text as it is now, empty once it was taken away; the rest as in [`NewEvent::content`].
    pub content: String,
    /// See [`NewEvent::raw`].
    pub raw: Option<String>,
    /// The message it is about.
    pub target: Option<EventId>,
    /// See [`NewEvent::client_id`].
    pub client_id: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When its text last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was taken away.
    pub deleted_at: Option<Timestamp>,
}

impl Event {
    /// Bytes of what its author wrote.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.content.len() + self.raw.as_ref().map_or(0, String::len)
    }
}

impl NewEvent {
    /// What `raw` says of a reaction that is set.
    pub const SET: &str = "true";
    /// What `raw` says of a reaction that is taken back.
    pub const TAKEN_BACK: &str = "false";

    /// Of a reaction: whether it is set, not taken back.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.raw.as_deref() == Some(Self::SET)
    }

    /// The event once the store gave it its place.
    #[must_use]
    pub fn stored_at(self, seq: i64) -> Event {
        Event {
            id: self.id,
            room: self.room,
            seq,
            kind: self.kind,
            author: self.author,
            sender: self.sender,
            nick_name: self.nick_name,
            content: self.content,
            raw: self.raw,
            target: self.target,
            client_id: self.client_id,
            created_at: self.created_at,
            edited_at: None,
            deleted_at: None,
        }
    }
}

impl Event {
    /// Of a reaction: whether it is set, not taken back.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.raw.as_deref() == Some(NewEvent::SET)
    }
}

/// The answer to a post: the message is stored.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The event; of a duplicate the first one's.
    pub event: Arc<Event>,
    /// The same `client_id` had been stored before.
    pub duplicate: bool,
}
