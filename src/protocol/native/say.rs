//! What the server says to one socket about itself: its greeting, its answers, its refusals, its
//! goodbye, and who is online. The session calls it; it says nothing of a room's life.

use serde::Serialize;

use crate::domain::{EventId, RoomId, SessionId, Timestamp, UserCard};
use crate::protocol::Frame;
use crate::protocol::close::{Band, CloseCode};

use super::{ErrorCode, PROTOCOL, to_frame};

/// What a socket is told first.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The connection's own id.
    pub session: SessionId,
    /// The node that it is on.
    pub node: &'a str,
    /// How long it may stay without having signed in or joined, in milliseconds.
    pub auth_within_ms: u64,
    /// Time between two pings of the server's, in milliseconds.
    pub ping_interval_ms: u64,
    /// Longest message that is read, in bytes.
    pub max_frame_bytes: usize,
    /// Who it is by the proof on the upgrade; none when the first frame decides.
    pub user: Option<&'a UserCard>,
}

/// A user as others know him.
#[derive(Serialize)]
struct Named<'a> {
    id: i64,
    username: &'a str,
}

impl<'a> From<&'a UserCard> for Named<'a> {
    fn from(card: &'a UserCard) -> Self {
        Self { id: card.id, username: &card.username }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "hello")]
struct SayHello<'a> {
    protocol: &'static str,
    session: SessionId,
    node: &'a str,
    auth_within_ms: u64,
    ping_interval_ms: u64,
    max_frame_bytes: usize,
    user: Option<Named<'a>>,
}

/// The first frame of a connection.
#[must_use]
pub fn hello(words: &Hello<'_>) -> Frame {
    to_frame(&SayHello {
        protocol: PROTOCOL,
        session: words.session,
        node: words.node,
        auth_within_ms: words.auth_within_ms,
        ping_interval_ms: words.ping_interval_ms,
        max_frame_bytes: words.max_frame_bytes,
        user: words.user.map(Named::from),
    })
}

/// Every `ok`: the reference, and what its kind adds.
#[derive(Serialize)]
#[serde(tag = "type", rename = "ok")]
struct SayOk<'a, T: Serialize> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(flatten)]
    more: T,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Seq {
    seq: i64,
}

#[derive(Serialize)]
struct Stored {
    id: EventId,
    seq: i64,
    created_at: Timestamp,
    duplicate: bool,
}

#[derive(Serialize)]
struct Proven<'a> {
    user: Option<Named<'a>>,
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest_token: Option<&'a str>,
}

/// Done, and there is nothing to say about it.
#[must_use]
pub fn ok(reference: Option<&str>) -> Frame {
    to_frame(&SayOk { reference, more: Nothing {} })
}

/// To an `auth`: who the socket is now. A guest has no user, a guest token has no `expires_at`.
#[must_use]
pub fn ok_auth(
    reference: Option<&str>,
    user: Option<&UserCard>,
    expires_at: Option<Timestamp>,
    guest_token: Option<&str>,
) -> Frame {
    to_frame(&SayOk {
        reference,
        more: Proven { user: user.map(Named::from), expires_at, guest_token },
    })
}

/// To a `send`: it is stored. Of a duplicate everything is the first one's.
#[must_use]
pub fn ok_send(
    reference: Option<&str>,
    id: EventId,
    seq: i64,
    created_at: Timestamp,
    duplicate: bool,
) -> Frame {
    to_frame(&SayOk { reference, more: Stored { id, seq, created_at, duplicate } })
}

/// To an `edit`, a `delete` or a `react`: the act's place, or the room's head when it changed nothing.
#[must_use]
pub fn ok_seq(reference: Option<&str>, seq: i64) -> Frame {
    to_frame(&SayOk { reference, more: Seq { seq } })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "pong")]
struct SayPong<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    at: Timestamp,
}

/// To a `ping`.
#[must_use]
pub fn pong(reference: Option<&str>, at: Timestamp) -> Frame {
    to_frame(&SayPong { reference, at })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "people")]
struct SayPeople<'a> {
    online: Vec<Named<'a>>,
    offline: &'a [i64],
    as_of: Timestamp,
}

/// Who came online (id and user name) and who left (id), to those who watch.
#[must_use]
pub fn people(online: &[(i64, &str)], offline: &[i64], as_of: Timestamp) -> Frame {
    let online = online.iter().map(|&(id, username)| Named { id, username }).collect();
    to_frame(&SayPeople { online, offline, as_of })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "announcement")]
struct SayAnnouncement<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<RoomId>,
    at: Timestamp,
}

/// An admin's word: to a room, or to all without one.
#[must_use]
pub fn announcement(message: &str, chat_id: Option<RoomId>, at: Timestamp) -> Frame {
    to_frame(&SayAnnouncement { message, chat_id, at })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "expiring")]
struct SayExpiring {
    expires_at: Timestamp,
}

/// The access token ends soon: the client sends `auth` with a newer one.
#[must_use]
pub fn expiring(expires_at: Timestamp) -> Frame {
    to_frame(&SayExpiring { expires_at })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "bye")]
struct SayBye {
    code: u16,
    reason: &'static str,
    retry: bool,
    after_ms: u64,
}

/// Before a close that the server chose: `retry` when the client connects again as it is, in
/// `after_ms` milliseconds at the earliest.
#[must_use]
pub fn bye(close: CloseCode, after_ms: u64) -> Frame {
    to_frame(&SayBye {
        code: close.native,
        reason: close.reason,
        retry: close.band() == Band::Again,
        after_ms,
    })
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "error")]
struct SayError<'a> {
    #[serde(rename = "ref")]
    reference: Option<&'a str>,
    code: ErrorCode,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<RoomId>,
}

/// A frame was refused; or, with a `chat_id`, the client lost that room without having asked for
/// anything. `retry_after_ms` in milliseconds.
#[must_use]
pub fn error(
    reference: Option<&str>,
    code: ErrorCode,
    detail: &str,
    retry_after_ms: Option<u64>,
    chat_id: Option<RoomId>,
) -> Frame {
    to_frame(&SayError { reference, code, detail, retry_after_ms, chat_id })
}
