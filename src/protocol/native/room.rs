//! What the server says of a room besides its events: the answer to a `join`, who is there, who
//! types and who has read. Rooms and sessions call it; it counts nothing itself.

use serde::Serialize;

use crate::domain::nodes::ChatAction;
use crate::domain::{Role, RoomId, RoomKind, Timestamp};
use crate::protocol::Frame;

use super::to_frame;

/// How far a `join` can resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It asked for nothing: nothing is replayed.
    Fresh,
    /// Everything since is there.
    Full,
    /// What was first is no longer kept.
    Partial,
    /// The room has begun anew: drop what is held.
    Reset,
}

/// The one who joined, in this room.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Me<'a> {
    /// None for guests.
    pub user_id: Option<i64>,
    /// The name a guest gave himself.
    pub nick_name: Option<&'a str>,
    /// None where rooms have no membership rows.
    pub role: Option<Role>,
    /// The newest event he has read, 0 when none.
    pub read_seq: i64,
}

/// A room at the moment of joining.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename = "joined")]
pub struct Joined<'a> {
    /// The room.
    pub chat_id: RoomId,
    /// Its name.
    pub name: &'a str,
    /// Its kind.
    pub kind: RoomKind,
    /// To be shown again with the next `after`.
    pub epoch: &'a str,
    /// Its head; live begins at the next one.
    pub seq: i64,
    /// How far it can resume.
    pub verdict: Verdict,
    /// The first event that this answer replays.
    pub from: i64,
    /// The last event that this answer replays.
    pub to: i64,
    /// What follows `to`, up to `seq`, is to be fetched with `history`.
    pub more: bool,
    /// People, oneself included.
    pub active_users: u64,
    /// Sockets.
    pub sessions: u64,
    /// The one who joined.
    pub me: Me<'a>,
    /// For a guest who is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Answer<'a, T: Serialize> {
    #[serde(flatten)]
    words: &'a T,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
}

/// To a `join`.
#[must_use]
pub fn joined(reference: Option<&str>, words: &Joined<'_>) -> Frame {
    to_frame(&Answer { words, reference })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "live")]
struct SayLive {
    chat_id: RoomId,
    seq: i64,
}

/// The replay is over: what comes now is new, and follows `seq`.
#[must_use]
pub fn live(chat_id: RoomId, seq: i64) -> Frame {
    to_frame(&SayLive { chat_id, seq })
}

/// A user who is in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhoRow {
    /// His id.
    pub user_id: i64,
    /// His name.
    pub username: String,
    /// What he calls himself here.
    pub nick_name: Option<String>,
    /// His sockets in the room.
    pub sessions: u32,
}

/// Who is in a room: a page of its users.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename = "who")]
pub struct Who<'a> {
    /// The room.
    pub chat_id: RoomId,
    /// People, guests included.
    pub active_users: u64,
    /// Guests among them.
    pub guests: u64,
    /// Names that they gave themselves, each once; of those whom the node knows that is asked.
    pub guest_names: &'a [String],
    /// Users, by id.
    pub members: &'a [WhoRow],
    /// When it was so.
    pub as_of: Timestamp,
    /// More users follow the last of these.
    pub more: bool,
}

/// To a `who`.
#[must_use]
pub fn who(reference: Option<&str>, words: &Who<'_>) -> Frame {
    to_frame(&Answer { words, reference })
}

/// Somebody who came or went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Person {
    /// None for guests.
    pub user_id: Option<i64>,
    /// None for guests.
    pub username: Option<String>,
    /// The name a guest gave himself.
    pub nick_name: Option<String>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "presence")]
struct SayPresence<'a> {
    chat_id: RoomId,
    active_users: u64,
    joined: &'a [Person],
    left: &'a [Person],
    as_of: Timestamp,
}

/// Who is here changed; `active_users` is the count after it.
#[must_use]
pub fn presence(
    chat_id: RoomId,
    active_users: u64,
    joined: &[Person],
    left: &[Person],
    as_of: Timestamp,
) -> Frame {
    to_frame(&SayPresence { chat_id, active_users, joined, left, as_of })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "typing")]
struct SayTyping<'a> {
    chat_id: RoomId,
    user_id: Option<i64>,
    nick_name: &'a str,
    on: bool,
}

/// Somebody types, or has stopped; a guest has no `user_id`.
#[must_use]
pub fn typing(chat_id: RoomId, user_id: Option<i64>, nick_name: &str, on: bool) -> Frame {
    to_frame(&SayTyping { chat_id, user_id, nick_name, on })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "read")]
struct SayRead {
    chat_id: RoomId,
    user_id: i64,
    seq: i64,
}

/// A member has read up to `seq`.
#[must_use]
pub fn read_mark(chat_id: RoomId, user_id: i64, seq: i64) -> Frame {
    to_frame(&SayRead { chat_id, user_id, seq })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "chats")]
struct SayChats {
    chat_id: RoomId,
    action: ChatAction,
    seq: i64,
    unread: i64,
}

/// A chat of the user's changed: its head, and how many events he has not read.
#[must_use]
pub fn chats(chat_id: RoomId, action: ChatAction, seq: i64, unread: i64) -> Frame {
    to_frame(&SayChats { chat_id, action, seq, unread })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "lag")]
struct SayLag {
    chat_id: RoomId,
    seq: i64,
    unread: i64,
}

/// Live delivery to this socket has ended: the room's head, and how many events it has not read.
#[must_use]
pub fn lag(chat_id: RoomId, seq: i64, unread: i64) -> Frame {
    to_frame(&SayLag { chat_id, seq, unread })
}
