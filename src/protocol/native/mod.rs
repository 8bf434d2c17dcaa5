//! `hubbub.v1`, the native protocol: what a client may ask ([`request`]), what the server says
//! ([`say`] and its neighbours) and how it refuses ([`mod@error`]). The session reads and answers with
//! it, rooms say their events with it. Pure: decides nothing, and knows no socket and no clock.
//!
//! To add a frame: its place in [`REQUESTS`] or [`FRAMES`], its code, then its row in the document.

pub mod error;
pub mod event;
mod fields;
pub mod request;
pub mod room;
pub mod say;

#[cfg(test)]
mod reading;
#[cfg(test)]
mod saying;
#[cfg(test)]
mod telling;

pub use error::ErrorCode;
pub use event::{event, history};
pub use fields::{EMOJI_MAX_BYTES, EPOCH_MAX_BYTES, REFERENCE_MAX_BYTES, ROOM_MAX};
pub use request::{Asked, Complaint, Proof, Request, read};
pub use room::{
    Joined, Me, Person, Verdict, Who, WhoRow, chats, joined, lag, live, presence, read_mark,
    typing, who,
};
pub use say::{
    Hello, announcement, bye, error, expiring, hello, ok, ok_auth, ok_send, ok_seq, people, pong,
};

use serde::Serialize;

use super::Frame;

/// The subprotocol by which a client asks for it, and what `hello` names.
pub const PROTOCOL: &str = "hubbub.v1";

/// Every `type` that a client may send.
pub const REQUESTS: &[&str] = &[
    "auth", "join", "leave", "send", "edit", "delete", "react", "typing", "read", "history", "who",
    "watch", "ping",
];

/// Every `type` that the server sends.
pub const FRAMES: &[&str] = &[
    "hello",
    "ok",
    "joined",
    "live",
    "chat_message",
    "message_edited",
    "message_deleted",
    "reaction",
    "member",
    "history",
    "who",
    "presence",
    "typing",
    "read",
    "chats",
    "people",
    "pong",
    "lag",
    "announcement",
    "expiring",
    "bye",
    "error",
];

fn to_frame(words: &impl Serialize) -> Frame {
    // Strings and numbers under string keys: there is nothing in it that serde_json refuses.
    Frame::text(&serde_json::to_string(words).unwrap_or_default())
}
