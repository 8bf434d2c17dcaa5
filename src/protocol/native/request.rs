//! What a `hubbub.v1` client asks: a text frame in, a [`Request`] whose every field is right out,
//! or the words of the `error` that answers it. Sessions call it for each text; who may do what,
//! and what rooms there are, it does not know.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::domain::text::TextError;
use crate::domain::{EventId, MessageText, names};
use crate::protocol::inbound::NICK_MAX;
use crate::protocol::json::is_too_deep;

use super::ErrorCode;

/// Longest `ref` and `client_id`, in bytes.
pub const REFERENCE_MAX_BYTES: usize = 64;
/// Longest `room`, in characters: two user names and a `_` between them.
pub const ROOM_MAX: usize = 2 * names::USER_NAME_MAX + 1;
/// Longest `emoji`, in bytes: families and flags are many characters.
pub const EMOJI_MAX_BYTES: usize = 32;
/// Longest `epoch`, in bytes.
pub const EPOCH_MAX_BYTES: usize = 128;

/// A frame, read as far as it makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The client's `ref`, for the answer; none when there is none that can be given back.
    pub reference: Option<String>,
    /// What it asks, or why it asks nothing.
    pub what: Result<Request, Complaint>,
}

/// What an `error` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// For programs.
    pub code: ErrorCode,
    /// For people; names the field, if one is at fault.
    pub detail: Cow<'static, str>,
}

/// What a client wants. A `room` is an id or a name in NFC, not looked up yet; each `after`,
/// `before` and `seq` is at least 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To be somebody.
    Auth(Proof),
    /// To follow a room.
    Join {
        /// Which.
        room: String,
        /// The newest event that the client holds.
        after: Option<i64>,
        /// The room's epoch, as the client was told.
        epoch: Option<String>,
        /// What a guest calls himself; not blank.
        nick_name: Option<String>,
    },
    /// To follow it no more.
    Leave {
        /// Which.
        room: String,
    },
    /// To post a message.
    Send {
        /// Where.
        room: String,
        /// The text; not blank.
        message: String,
        /// The sender's own id for it; not empty.
        client_id: Option<String>,
        /// The message that it answers.
        reply_to: Option<EventId>,
    },
    /// To change a message's text.
    Edit {
        /// Where.
        room: String,
        /// Which.
        id: EventId,
        /// The text; not blank.
        message: String,
    },
    /// To take a message away.
    Delete {
        /// Where.
        room: String,
        /// Which.
        id: EventId,
    },
    /// To set a reaction, or to take it back.
    React {
        /// Where.
        room: String,
        /// To which message.
        id: EventId,
        /// 1 to 32 bytes without white space.
        emoji: String,
        /// Set; else taken back.
        on: bool,
    },
    /// To show that one types.
    Typing {
        /// Where.
        room: String,
        /// Types; else has stopped.
        on: bool,
    },
    /// To say how far one has read.
    Read {
        /// Where.
        room: String,
        /// The newest event that was read.
        seq: i64,
    },
    /// For a page of events.
    History {
        /// Where.
        room: String,
        /// The newest ones before this event.
        before: Option<i64>,
        /// The oldest ones after this event.
        after: Option<i64>,
        /// At least 1; whoever answers has a limit of his own.
        limit: Option<u64>,
    },
    /// For a page of those who are in a room.
    Who {
        /// Where.
        room: String,
        /// The user id after which the page begins.
        after: Option<i64>,
    },
    /// To be told who is online, or no more.
    Watch {
        /// From now on; else no more.
        people: bool,
    },
    /// For an answer.
    Ping,
}

/// What shows who a client is.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// An access token.
    Token(String),
    /// A guest's token.
    Guest(String),
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A token in a log is a login in a log.
        out.write_str(match self {
            Self::Token(_) => "Token(***)",
            Self::Guest(_) => "Guest(***)",
        })
    }
}

type Raw<'a> = Option<&'a RawValue>;

/// Every field of every request as it stands in the frame; `null` is as good as absent. What has
/// no place here is skipped without being built.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(default, borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(default, borrow, rename = "ref")]
    reference: Raw<'a>,
    #[serde(default, borrow)]
    token: Raw<'a>,
    #[serde(default, borrow)]
    guest_token: Raw<'a>,
    #[serde(default, borrow)]
    room: Raw<'a>,
    #[serde(default, borrow)]
    after: Raw<'a>,
    #[serde(default, borrow)]
    before: Raw<'a>,
    #[serde(default, borrow)]
    limit: Raw<'a>,
    #[serde(default, borrow)]
    epoch: Raw<'a>,
    #[serde(default, borrow)]
    nick_name: Raw<'a>,
    #[serde(default, borrow)]
    message: Raw<'a>,
    #[serde(default, borrow)]
    client_id: Raw<'a>,
    #[serde(default, borrow)]
    reply_to: Raw<'a>,
    #[serde(default, borrow)]
    id: Raw<'a>,
    #[serde(default, borrow)]
    emoji: Raw<'a>,
    #[serde(default, borrow)]
    on: Raw<'a>,
    #[serde(default, borrow)]
    seq: Raw<'a>,
    #[serde(default, borrow)]
    people: Raw<'a>,
}

/// Reads a frame.
#[must_use]
pub fn read(text: &str) -> Asked {
    let fields = match fields(text) {
        Ok(fields) => fields,
        Err(detail) => return Asked { reference: None, what: Err(bad_frame(detail)) },
    };
    let reference = may("ref", fields.reference, REFERENCE, |raw| {
        string(raw).filter(|text| text.len() <= REFERENCE_MAX_BYTES)
    });
    match reference {
        Ok(reference) => Asked { reference, what: request(&fields) },
        Err(complaint) => Asked { reference: None, what: Err(complaint) },
    }
}

const REFERENCE: &str = "a string of at most 64 bytes";
const COUNT: &str = "a whole number of at least 0";

fn fields(text: &str) -> Result<Fields<'_>, &'static str> {
    if is_too_deep(text.as_bytes()) {
        return Err("JSON is nested too deeply.");
    }
    // Of an array the derived reader would take its elements for the fields, in order.
    if !text.trim_start().starts_with('{') {
        return Err("A frame is one JSON object.");
    }
    serde_json::from_str(text).map_err(|_| "A frame is one JSON object, with each key once.")
}

fn request(fields: &Fields<'_>) -> Result<Request, Complaint> {
    let kind = fields.kind.and_then(string);
    let kind = kind.ok_or_else(|| bad_frame("\"type\" must be a string."))?;
    Ok(match kind.as_str() {
        "auth" => Request::Auth(proof(fields)?),
        "join" => Request::Join {
            room: room(fields)?,
            after: may("after", fields.after, COUNT, count)?,
            epoch: may("epoch", fields.epoch, "a string of at most 128 bytes", |raw| {
                string(raw).filter(|epoch| epoch.len() <= EPOCH_MAX_BYTES)
            })?,
            nick_name: nick_name(fields)?,
        },
        "leave" => Request::Leave { room: room(fields)? },
        "send" => Request::Send {
            room: room(fields)?,
            message: message(fields)?,
            client_id: client_id(fields)?,
            reply_to: may("reply_to", fields.reply_to, "a message's id", id)?,
        },
        "edit" => {
            Request::Edit { room: room(fields)?, id: target(fields)?, message: message(fields)? }
        }
        "delete" => Request::Delete { room: room(fields)?, id: target(fields)? },
        "react" => Request::React {
            room: room(fields)?,
            id: target(fields)?,
            emoji: emoji(fields)?,
            on: on(fields)?,
        },
        "typing" => Request::Typing { room: room(fields)?, on: on(fields)? },
        "read" => {
            Request::Read { room: room(fields)?, seq: need("seq", fields.seq, COUNT, count)? }
        }
        "history" => Request::History {
            room: room(fields)?,
            before: may("before", fields.before, COUNT, count)?,
            after: may("after", fields.after, COUNT, count)?,
            limit: may("limit", fields.limit, "a whole number of at least 1", |raw| {
                json(raw).filter(|limit| *limit > 0)
            })?,
        },
        "who" => {
            Request::Who { room: room(fields)?, after: may("after", fields.after, COUNT, count)? }
        }
        "watch" => Request::Watch { people: need("people", fields.people, "true or false", json)? },
        "ping" => Request::Ping,
        _ => {
            return Err(Complaint {
                code: ErrorCode::UnknownType,
                detail: "No frame of this protocol has this \"type\".".into(),
            });
        }
    })
}

const fn bad_frame(detail: &'static str) -> Complaint {
    Complaint { code: ErrorCode::BadFrame, detail: Cow::Borrowed(detail) }
}

fn invalid(name: &str, shape: &str) -> Complaint {
    let detail = format!("\"{name}\" must be {shape}.").into();
    Complaint { code: ErrorCode::Invalid, detail }
}

/// A field that may be absent.
fn may<'a, T>(
    name: &str,
    raw: Raw<'a>,
    shape: &str,
    read: impl FnOnce(&'a RawValue) -> Option<T>,
) -> Result<Option<T>, Complaint> {
    raw.map(|raw| read(raw).ok_or_else(|| invalid(name, shape))).transpose()
}

/// A field that must be there.
fn need<'a, T>(
    name: &str,
    raw: Raw<'a>,
    shape: &str,
    read: impl FnOnce(&'a RawValue) -> Option<T>,
) -> Result<T, Complaint> {
    raw.and_then(read).ok_or_else(|| invalid(name, shape))
}

fn json<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn string(raw: &RawValue) -> Option<String> {
    json(raw)
}

fn count(raw: &RawValue) -> Option<i64> {
    json(raw).filter(|count| *count >= 0)
}

fn id(raw: &RawValue) -> Option<EventId> {
    string(raw).and_then(|text| Uuid::try_parse(&text).ok()).map(EventId)
}

fn target(fields: &Fields<'_>) -> Result<EventId, Complaint> {
    need("id", fields.id, "a message's id", id)
}

fn on(fields: &Fields<'_>) -> Result<bool, Complaint> {
    may("on", fields.on, "true or false", json).map(|on| on.unwrap_or(true))
}

fn proof(fields: &Fields<'_>) -> Result<Proof, Complaint> {
    match (fields.token, fields.guest_token) {
        (token @ Some(_), None) => need("token", token, "a string", string).map(Proof::Token),
        (None, token @ Some(_)) => need("guest_token", token, "a string", string).map(Proof::Guest),
        _ => Err(Complaint {
            code: ErrorCode::Invalid,
            detail: "Either \"token\" or \"guest_token\" must be there, and one alone.".into(),
        }),
    }
}

fn room(fields: &Fields<'_>) -> Result<String, Complaint> {
    let shape = "a room's id or name: 1 to 301 printable characters without a slash";
    need("room", fields.room, shape, |raw| {
        let room: String = string(raw)?.nfc().collect();
        let is_fine = room.chars().all(names::is_printable)
            && !room.trim().is_empty()
            && room.chars().count() <= ROOM_MAX;
        is_fine.then_some(room)
    })
}

fn message(fields: &Fields<'_>) -> Result<String, Complaint> {
    let text = need("message", fields.message, "a string", string)?;
    MessageText::parse(text).map(MessageText::into_string).map_err(|error| Complaint {
        code: match error {
            TextError::TooLong => ErrorCode::TooLong,
            TextError::Blank | TextError::Nul => ErrorCode::Invalid,
        },
        detail: format!("\"message\": {error}").into(),
    })
}

fn nick_name(fields: &Fields<'_>) -> Result<Option<String>, Complaint> {
    let shape = "a string of at most 150 characters, none of them a control character";
    let nick = may("nick_name", fields.nick_name, shape, |raw| {
        string(raw)
            .filter(|nick| nick.chars().count() <= NICK_MAX && !nick.chars().any(char::is_control))
    })?;
    Ok(nick.filter(|nick| !nick.trim().is_empty()))
}

fn client_id(fields: &Fields<'_>) -> Result<Option<String>, Complaint> {
    let shape = "a string of at most 64 bytes, without null characters";
    let id = may("client_id", fields.client_id, shape, |raw| {
        string(raw).filter(|id| id.len() <= REFERENCE_MAX_BYTES && !id.contains('\0'))
    })?;
    Ok(id.filter(|id| !id.is_empty()))
}

fn emoji(fields: &Fields<'_>) -> Result<String, Complaint> {
    need("emoji", fields.emoji, "1 to 32 bytes without white space", |raw| {
        string(raw).filter(|emoji| {
            (1..=EMOJI_MAX_BYTES).contains(&emoji.len())
                && !emoji.chars().any(|c| c.is_whitespace() || c.is_control())
        })
    })
}
