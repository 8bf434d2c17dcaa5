//! Durable events as `hubbub.v1` says them: the same object live, replayed and in a page of
//! history. Rooms call it once an event; it reads no store, and knows not who listens.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::{Event, EventId, EventKind, RoomId, Timestamp};
use crate::protocol::Frame;

use super::to_frame;

/// The sender's name of a guest who gave none.
const ANONYMOUS: &str = "anonymous";

#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    what: What<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replay: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum What<'a> {
    ChatMessage {
        id: EventId,
        chat_id: RoomId,
        seq: i64,
        message: &'a str,
        sender_id: Option<i64>,
        sender: &'a str,
        nick_name: Option<&'a str>,
        created_at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        edited_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        deleted_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<EventId>,
    },
    MessageEdited {
        id: EventId,
        chat_id: RoomId,
        seq: i64,
        message: &'a str,
        edited_at: Timestamp,
    },
    MessageDeleted {
        id: EventId,
        chat_id: RoomId,
        seq: i64,
    },
    Reaction {
        id: EventId,
        chat_id: RoomId,
        seq: i64,
        emoji: &'a str,
        sender_id: Option<i64>,
        on: bool,
    },
    Member {
        chat_id: RoomId,
        seq: i64,
        action: Cow<'a, str>,
        user_id: Option<i64>,
        by: Option<i64>,
    },
}

/// What a member event holds.
#[derive(Deserialize)]
struct MemberChange<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    user_id: Option<i64>,
    by: Option<i64>,
}

/// None for acts, and for a row that does not hold what its kind needs.
fn said(event: &Event, replay: bool) -> Option<Said<'_>> {
    let (chat_id, seq) = (event.room, event.seq);
    let sender_id = event.author.user().map(|user| user.0);
    // The text of what was taken away goes to nobody, whatever a row still holds.
    let text = if event.deleted_at.is_some() { "" } else { &event.content };
    let what = match event.kind {
        EventKind::Message => What::ChatMessage {
            id: event.id,
            chat_id,
            seq,
            message: text,
            sender_id,
            sender: match event.sender.as_deref() {
                Some(card) => &card.username,
                None => event.nick_name.as_deref().unwrap_or(ANONYMOUS),
            },
            nick_name: event.nick_name.as_deref(),
            created_at: event.created_at,
            edited_at: event.edited_at,
            deleted_at: event.deleted_at,
            client_id: event.client_id.as_deref(),
            reply_to: event.target,
        },
        EventKind::Edit => What::MessageEdited {
            id: event.target?,
            chat_id,
            seq,
            message: text,
            edited_at: event.created_at,
        },
        EventKind::Delete => What::MessageDeleted { id: event.target?, chat_id, seq },
        EventKind::Reaction => What::Reaction {
            id: event.target?,
            chat_id,
            seq,
            emoji: &event.content,
            sender_id,
            on: event.is_on(),
        },
        EventKind::Member => {
            let change: MemberChange<'_> = serde_json::from_str(&event.content).ok()?;
            What::Member {
                chat_id,
                seq,
                action: change.action,
                user_id: change.user_id,
                by: change.by,
            }
        }
        EventKind::Act => return None,
    };
    Some(Said { what, replay })
}

/// The frame of an event, marked when it is told again; none for kinds that clients do not see.
#[must_use]
pub fn event(event: &Event, replay: bool) -> Option<Frame> {
    said(event, replay).map(|said| to_frame(&said))
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "history")]
struct SayHistory<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    chat_id: RoomId,
    events: Vec<Said<'a>>,
    more: bool,
}

/// To a `history`: a page of events in the order given (oldest first), each as its own frame
/// would be, marked as told again; `more` when the page was cut.
#[must_use]
pub fn history<'a>(
    reference: Option<&'a str>,
    chat_id: RoomId,
    events: impl IntoIterator<Item = &'a Event>,
    more: bool,
) -> Frame {
    let events = events.into_iter().filter_map(|event| said(event, true)).collect();
    to_frame(&SayHistory { reference, chat_id, events, more })
}
