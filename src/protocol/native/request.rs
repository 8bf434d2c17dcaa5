//! What a `hubbub.v1` client asks: a text frame in, a [`Request`] whose every field is right out,
//! or the words of the `error` that answers it. Sessions call it for each text; who may do what,
//! and what rooms there are, it does not know.

use std::borrow::Cow;

use crate::domain::EventId;

use super::ErrorCode;
use super::fields::Fields;

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

/// Reads a frame.
#[must_use]
pub fn read(text: &str) -> Asked {
    let asked = Fields::read(text).and_then(|fields| {
        let reference = fields.reference()?;
        Ok(Asked { reference, what: request(&fields) })
    });
    asked.unwrap_or_else(|complaint| Asked { reference: None, what: Err(complaint) })
}

fn request(frame: &Fields<'_>) -> Result<Request, Complaint> {
    // Struct expressions are evaluated as written: the first field at fault is the one named.
    Ok(match frame.kind()?.as_str() {
        "auth" => Request::Auth(frame.proof()?),
        "join" => Request::Join {
            room: frame.room()?,
            after: frame.after()?,
            epoch: frame.epoch()?,
            nick_name: frame.nick_name()?,
        },
        "leave" => Request::Leave { room: frame.room()? },
        "send" => Request::Send {
            room: frame.room()?,
            message: frame.message()?,
            client_id: frame.client_id()?,
            reply_to: frame.reply_to()?,
        },
        "edit" => Request::Edit { room: frame.room()?, id: frame.id()?, message: frame.message()? },
        "delete" => Request::Delete { room: frame.room()?, id: frame.id()? },
        "react" => Request::React {
            room: frame.room()?,
            id: frame.id()?,
            emoji: frame.emoji()?,
            on: frame.on()?,
        },
        "typing" => Request::Typing { room: frame.room()?, on: frame.on()? },
        "read" => Request::Read { room: frame.room()?, seq: frame.seq()? },
        "history" => Request::History {
            room: frame.room()?,
            before: frame.before()?,
            after: frame.after()?,
            limit: frame.limit()?,
        },
        "who" => Request::Who { room: frame.room()?, after: frame.after()? },
        "watch" => Request::Watch { people: frame.people()? },
        "ping" => Request::Ping,
        _ => {
            return Err(Complaint {
                code: ErrorCode::UnknownType,
                detail: "No frame of this protocol has this \"type\".".into(),
            });
        }
    })
}
