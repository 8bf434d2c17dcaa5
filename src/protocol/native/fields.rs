//! The fields of a client's frame and what each must be. [`super::request`] asks for those that a
//! request needs; nothing else of the frame is looked at, and nothing is built that is not asked for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::domain::text::TextError;
use crate::domain::{EventId, MessageText, names};
use crate::protocol::inbound::NICK_MAX;
use crate::protocol::json::is_too_deep;

use super::{Complaint, ErrorCode, Proof};

/// Longest `ref` and `client_id`, in bytes.
pub const REFERENCE_MAX_BYTES: usize = 64;
/// Longest `room`, in characters: two user names and a `_` between them.
pub const ROOM_MAX: usize = 2 * names::USER_NAME_MAX + 1;
/// Longest `emoji`, in bytes: families and flags are many characters.
pub const EMOJI_MAX_BYTES: usize = 32;
/// Longest `epoch`, in bytes.
pub const EPOCH_MAX_BYTES: usize = 128;

/// A value as it stands in the frame; `null` is as good as absent.
type Raw<'a> = Option<&'a RawValue>;

/// Every field of every request. What has no place here is skipped.
#[derive(Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow, rename = "ref")]
    reference: Raw<'a>,
    #[serde(borrow)]
    token: Raw<'a>,
    #[serde(borrow)]
    guest_token: Raw<'a>,
    #[serde(borrow)]
    room: Raw<'a>,
    #[serde(borrow)]
    after: Raw<'a>,
    #[serde(borrow)]
    before: Raw<'a>,
    #[serde(borrow)]
    limit: Raw<'a>,
    #[serde(borrow)]
    epoch: Raw<'a>,
    #[serde(borrow)]
    nick_name: Raw<'a>,
    #[serde(borrow)]
    message: Raw<'a>,
    #[serde(borrow)]
    client_id: Raw<'a>,
    #[serde(borrow)]
    reply_to: Raw<'a>,
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    emoji: Raw<'a>,
    #[serde(borrow)]
    on: Raw<'a>,
    #[serde(borrow)]
    seq: Raw<'a>,
    #[serde(borrow)]
    people: Raw<'a>,
}

const COUNT: &str = "a whole number of at least 0";
const SWITCH: &str = "true or false";
const MESSAGE_ID: &str = "a message's id";

impl<'a> Fields<'a> {
    /// Finds the fields of a text.
    pub fn read(text: &'a str) -> Result<Self, Complaint> {
        if is_too_deep(text.as_bytes()) {
            return Err(bad_frame("JSON is nested too deeply."));
        }
        // Of an array the derived reader would take its elements for the fields, in order.
        if !text.trim_start().starts_with('{') {
            return Err(bad_frame("A frame is one JSON object."));
        }
        serde_json::from_str(text)
            .map_err(|_| bad_frame("A frame is one JSON object, with each key once."))
    }

    pub fn kind(&self) -> Result<String, Complaint> {
        self.kind.and_then(string).ok_or_else(|| bad_frame("\"type\" must be a string."))
    }

    pub fn reference(&self) -> Result<Option<String>, Complaint> {
        may("ref", self.reference, "a string of at most 64 bytes", |raw| {
            string(raw).filter(|text| text.len() <= REFERENCE_MAX_BYTES)
        })
    }

    pub fn proof(&self) -> Result<Proof, Complaint> {
        match (self.token, self.guest_token) {
            (token @ Some(_), None) => need("token", token, "a string", string).map(Proof::Token),
            (None, token @ Some(_)) => {
                need("guest_token", token, "a string", string).map(Proof::Guest)
            }
            _ => Err(Complaint {
                code: ErrorCode::Invalid,
                detail: "Either \"token\" or \"guest_token\" must be there, and one alone.".into(),
            }),
        }
    }

    pub fn room(&self) -> Result<String, Complaint> {
        let shape = "a room's id or name: 1 to 301 printable characters without a slash";
        need("room", self.room, shape, |raw| {
            let room: String = string(raw)?.nfc().collect();
            let is_fine = room.chars().all(names::is_printable)
                && !room.trim().is_empty()
                && room.chars().count() <= ROOM_MAX;
            is_fine.then_some(room)
        })
    }

    pub fn message(&self) -> Result<String, Complaint> {
        let text = need("message", self.message, "a string", string)?;
        MessageText::parse(text).map(MessageText::into_string).map_err(|error| Complaint {
            code: match error {
                TextError::TooLong => ErrorCode::TooLong,
                TextError::Blank | TextError::Nul => ErrorCode::Invalid,
            },
            detail: format!("\"message\": {error}").into(),
        })
    }

    /// None when blank.
    pub fn nick_name(&self) -> Result<Option<String>, Complaint> {
        let shape = "a string of at most 150 characters, none of them a control character";
        let nick = may("nick_name", self.nick_name, shape, |raw| {
            string(raw).filter(|nick| {
                nick.chars().count() <= NICK_MAX && !nick.chars().any(char::is_control)
            })
        })?;
        Ok(nick.filter(|nick| !nick.trim().is_empty()))
    }

    /// None when empty. The database stores no U+0000.
    pub fn client_id(&self) -> Result<Option<String>, Complaint> {
        let shape = "a string of at most 64 bytes, without null characters";
        let id = may("client_id", self.client_id, shape, |raw| {
            string(raw).filter(|id| id.len() <= REFERENCE_MAX_BYTES && !id.contains('\0'))
        })?;
        Ok(id.filter(|id| !id.is_empty()))
    }

    pub fn emoji(&self) -> Result<String, Complaint> {
        need("emoji", self.emoji, "1 to 32 bytes without white space", |raw| {
            string(raw).filter(|emoji| {
                (1..=EMOJI_MAX_BYTES).contains(&emoji.len())
                    && !emoji.chars().any(|c| c.is_whitespace() || c.is_control())
            })
        })
    }

    pub fn epoch(&self) -> Result<Option<String>, Complaint> {
        may("epoch", self.epoch, "a string of at most 128 bytes", |raw| {
            string(raw).filter(|epoch| epoch.len() <= EPOCH_MAX_BYTES)
        })
    }

    pub fn id(&self) -> Result<EventId, Complaint> {
        need("id", self.id, MESSAGE_ID, event_id)
    }

    pub fn reply_to(&self) -> Result<Option<EventId>, Complaint> {
        may("reply_to", self.reply_to, MESSAGE_ID, event_id)
    }

    pub fn seq(&self) -> Result<i64, Complaint> {
        need("seq", self.seq, COUNT, count)
    }

    pub fn after(&self) -> Result<Option<i64>, Complaint> {
        may("after", self.after, COUNT, count)
    }

    pub fn before(&self) -> Result<Option<i64>, Complaint> {
        may("before", self.before, COUNT, count)
    }

    pub fn limit(&self) -> Result<Option<u64>, Complaint> {
        may("limit", self.limit, "a whole number of at least 1", |raw| {
            json(raw).filter(|limit| *limit > 0)
        })
    }

    /// True when absent.
    pub fn on(&self) -> Result<bool, Complaint> {
        may("on", self.on, SWITCH, json).map(|on| on.unwrap_or(true))
    }

    pub fn people(&self) -> Result<bool, Complaint> {
        need("people", self.people, SWITCH, json)
    }
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

fn event_id(raw: &RawValue) -> Option<EventId> {
    string(raw).and_then(|text| Uuid::try_parse(&text).ok()).map(EventId)
}
