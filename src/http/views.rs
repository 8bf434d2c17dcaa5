//! The JSON of users, rooms and messages as the clients of each system know it (CONTRACT sections
//! 1 and 2). Plain values made from rows; handlers only.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{Event, RoomKind, RoomRow, Timestamp, UserCard};
use crate::store::{MemberRow, UserRow};

/// A user, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserRef {
    /// Row id.
    #[schema(example = 1)]
    pub id: i64,
    /// Name.
    #[schema(example = "alice")]
    pub username: String,
    /// Address, empty when none was given.
    #[schema(example = "alice@example.org")]
    pub email: String,
}

impl From<&UserCard> for UserRef {
    fn from(card: &UserCard) -> Self {
        Self { id: card.id, username: card.username.clone(), email: card.email.clone() }
    }
}

/// A user with his names.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Person {
    /// Row id.
    #[schema(example = 1)]
    pub id: i64,
    /// Name.
    #[schema(example = "alice")]
    pub username: String,
    /// Address, empty when none was given.
    #[schema(example = "alice@example.org")]
    pub email: String,
    /// May be empty.
    #[schema(example = "Alice")]
    pub first_name: String,
    /// May be empty.
    #[schema(example = "Liddell")]
    pub last_name: String,
}

impl From<&UserCard> for Person {
    fn from(card: &UserCard) -> Self {
        Self {
            id: card.id,
            username: card.username.clone(),
            email: card.email.clone(),
            first_name: card.first_name.clone(),
            last_name: card.last_name.clone(),
        }
    }
}

/// A user and whether he is online.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PersonOnline {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// Holds a socket.
    pub online: bool,
    /// When he last did.
    pub last_seen: Option<Timestamp>,
}

impl PersonOnline {
    /// From a row and what the rooms know.
    #[must_use]
    pub fn new(row: &UserRow, online: bool) -> Self {
        Self { person: Person::from(row.card.as_ref()), online, last_seen: row.last_seen }
    }
}

/// A named room and the people in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedRoom {
    /// Its name.
    #[schema(example = "global")]
    pub name: String,
    /// People in it now, over all nodes.
    #[schema(example = 3)]
    pub active_members: u64,
}

/// Who made an shh room; its clients know the id as a string.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Creator {
    /// Row id.
    #[schema(example = "1")]
    pub id: String,
    /// Address, empty when none was given.
    #[schema(example = "alice@example.org")]
    pub email: String,
    /// Name.
    #[schema(example = "alice")]
    pub username: String,
}

impl From<&UserCard> for Creator {
    fn from(card: &UserCard) -> Self {
        Self { id: card.id.to_string(), email: card.email.clone(), username: card.username.clone() }
    }
}

/// An shh room in the caller's list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvitedRoom {
    /// Its name.
    #[schema(example = "book club")]
    pub room_name: String,
    /// Its id.
    pub room_id: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: Creator,
}

/// A message of an shh room.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvitedMessage {
    /// Its id.
    pub id: Uuid,
    /// Its place in the room's order.
    #[schema(example = 7)]
    pub seq: i64,
    /// By whom.
    pub user: Person,
    /// The text.
    #[schema(example = "Hello")]
    pub message: String,
    /// When.
    pub timestamp: Timestamp,
}

impl From<&Event> for InvitedMessage {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.0,
            seq: event.seq,
            user: event.sender.as_deref().map_or_else(
                || Person::from(&UserCard { username: author_name(event), ..UserCard::default() }),
                Person::from,
            ),
            message: event.content.clone(),
            timestamp: event.created_at,
        }
    }
}

/// A private or group chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Chat {
    /// Its id.
    pub id: Uuid,
    /// A group, not the private chat of two.
    pub is_group: bool,
    /// A group's name.
    #[schema(example = "book club")]
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Longest member first.
    pub members: Vec<UserRef>,
    /// Its newest message.
    pub last_message: Option<ChatMessage>,
    /// Others' messages after the caller's read mark; 1000 stands for so many or more.
    #[schema(example = 0)]
    pub unread: u64,
}

impl Chat {
    /// From its rows, for one of its members.
    #[must_use]
    pub fn new(room: &RoomRow, members: &[MemberRow], last: Option<&Event>, unread: u64) -> Self {
        Self {
            id: room.id.0,
            is_group: room.kind == RoomKind::Chat,
            name: room.name.clone(),
            created_at: room.created_at,
            members: members.iter().map(|member| UserRef::from(member.card.as_ref())).collect(),
            last_message: last.map(ChatMessage::from),
            unread,
        }
    }
}

/// A message of a chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatMessage {
    /// Its id.
    pub id: Uuid,
    /// Its place in the chat's order.
    #[schema(example = 7)]
    pub seq: i64,
    /// The chat.
    pub chat: Uuid,
    /// By whom.
    pub sender: Option<UserRef>,
    /// The text.
    #[schema(example = "Hello")]
    pub content: String,
    /// When.
    pub created_at: Timestamp,
}

impl From<&Event> for ChatMessage {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.0,
            seq: event.seq,
            chat: event.room.0,
            sender: event.sender.as_deref().map(UserRef::from),
            content: event.content.clone(),
            created_at: event.created_at,
        }
    }
}

/// A message of a named room.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedMessage {
    /// Its id.
    pub id: Uuid,
    /// Its place in the room's order.
    #[schema(example = 7)]
    pub seq: i64,
    /// Name of who wrote it: a user's, a guest's nick, or `anonymous`.
    #[schema(example = "alice")]
    pub sender: String,
    /// The text.
    #[schema(example = "Hello")]
    pub content: String,
    /// When.
    pub timestamp: Timestamp,
    /// The room's name.
    #[schema(example = "global")]
    pub room: String,
}

impl NamedMessage {
    /// From an event of the room of that name.
    #[must_use]
    pub fn new(event: &Event, room: &str) -> Self {
        Self {
            id: event.id.0,
            seq: event.seq,
            sender: author_name(event),
            content: event.content.clone(),
            timestamp: event.created_at,
            room: room.to_owned(),
        }
    }
}

fn author_name(event: &Event) -> String {
    match (&event.sender, &event.nick_name) {
        (Some(card), _) => card.username.clone(),
        (None, Some(nick)) => nick.clone(),
        (None, None) => "anonymous".to_owned(),
    }
}
