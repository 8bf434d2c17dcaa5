//! The dialects: one event, said as each kind of client knows it (CONTRACT section 3, *What the
//! socket speaks* and *Between dialects in one room*); `native` has the words of `hubbub.v1`.
//!
//! To add one: a variant, its arm in [`Dialect::say`], and a row in the tests below.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::{Event, EventId, EventKind, RoomId, Timestamp, UserCard};

use super::{Frame, native};

/// What a socket speaks, fixed at the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Dialect {
    /// A named room without an explicit token: `{"message": <value>}` and nothing else.
    Guest,
    /// Groups, private chats and named rooms by token: the superset frame.
    Chat,
    /// An shh room by cookie: `"type":"message"`.
    ShhCookie,
    /// An shh room by token: `"type":"chat_message"`.
    ShhToken,
    /// `hubbub.v1`.
    Native,
}

/// What a socket gets first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing.
    Nothing,
    /// One `message_history` frame with the latest messages (shh).
    History,
    /// Each of the latest messages as a frame with `"history":true` (private chats by name).
    Frames,
}

/// How many messages an opening shows.
pub const OPENING_MESSAGES: usize = 200;

/// What a room's frames say of the room.
#[derive(Clone, Debug)]
pub struct RoomWords {
    /// Its id.
    pub id: RoomId,
    /// Its name; private chats show their id.
    pub name: String,
}

#[derive(Serialize)]
struct Superset<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: EventId,
    seq: i64,
    message: &'a str,
    content: &'a str,
    sender_id: Option<i64>,
    sender: &'a str,
    username: &'a str,
    user: &'a str,
    chat_id: RoomId,
    room: &'a str,
    created_at: Timestamp,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    history: bool,
}

#[derive(Serialize)]
struct ToGuest<'a, T: Serialize> {
    message: &'a T,
}

#[derive(Serialize)]
struct WithNick<'a> {
    message: &'a str,
    nick_name: &'a str,
}

#[derive(Serialize)]
struct HistoryRow<'a> {
    id: EventId,
    seq: i64,
    user: &'a str,
    username: &'a str,
    message: &'a str,
    timestamp: Timestamp,
}

#[derive(Serialize)]
struct History<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    messages: Vec<HistoryRow<'a>>,
}

#[derive(Serialize)]
struct Typing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    user: &'a str,
    username: &'a str,
}

#[derive(Serialize)]
struct ShhError<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
}

impl Dialect {
    /// All of them, by their numbers.
    pub const ALL: [Self; 5] =
        [Self::Guest, Self::Chat, Self::ShhCookie, Self::ShhToken, Self::Native];

    /// As admins see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Chat => "token",
            Self::ShhCookie => "shh-cookie",
            Self::ShhToken => "shh-token",
            Self::Native => "native",
        }
    }

    /// Whether its sockets are told of errors and of who is typing.
    #[must_use]
    pub const fn is_shh(self) -> bool {
        matches!(self, Self::ShhCookie | Self::ShhToken)
    }

    /// The frame of an event, none for kinds that plain sockets do not know.
    #[must_use]
    pub fn say(self, event: &Event, room: &RoomWords) -> Option<Frame> {
        self.frame(event, room, false)
    }

    /// The same as part of an opening.
    #[must_use]
    pub fn say_again(self, event: &Event, room: &RoomWords) -> Option<Frame> {
        self.frame(event, room, true)
    }

    fn frame(self, event: &Event, room: &RoomWords, history: bool) -> Option<Frame> {
        if self == Self::Native {
            return native::event(event, history);
        }
        if event.kind != EventKind::Message {
            return None;
        }
        if self == Self::Guest {
            return Some(guest_frame(event));
        }
        let (sender, user) = self.names(event);
        Some(to_frame(&Superset {
            kind: if self == Self::ShhCookie { "message" } else { "chat_message" },
            id: event.id,
            seq: event.seq,
            message: &event.content,
            content: &event.content,
            sender_id: event.sender.as_ref().map(|card| card.id),
            sender,
            username: sender,
            user,
            chat_id: room.id,
            room: &room.name,
            created_at: event.created_at,
            timestamp: event.created_at,
            history,
        }))
    }

    /// The sender's name, and what `user` says: the email in shh rooms, the name elsewhere,
    /// nothing for guests.
    fn names(self, event: &Event) -> (&str, &str) {
        match event.sender.as_deref() {
            Some(card) if self.is_shh() => (&card.username, &card.email),
            Some(card) => (&card.username, &card.username),
            None => (event.nick_name.as_deref().unwrap_or("anonymous"), ""),
        }
    }

    /// The one frame of [`Opening::History`].
    #[must_use]
    pub fn history<'a>(self, events: impl IntoIterator<Item = &'a Event>) -> Frame {
        let messages = events
            .into_iter()
            .filter(|event| event.kind == EventKind::Message)
            .map(|event| {
                let (username, user) = self.names(event);
                HistoryRow {
                    id: event.id,
                    seq: event.seq,
                    user,
                    username,
                    message: &event.content,
                    timestamp: event.created_at,
                }
            })
            .collect();
        to_frame(&History { kind: "message_history", messages })
    }
}

/// Somebody types in an shh room.
#[must_use]
pub fn typing(card: &UserCard) -> Frame {
    to_frame(&Typing { kind: "typing", user: &card.email, username: &card.username })
}

/// A frame of an shh socket's was refused.
#[must_use]
pub fn shh_error(message: &str) -> Frame {
    to_frame(&ShhError { kind: "error", message })
}

/// What was sent verbatim goes out verbatim; a user's words carry his name.
fn guest_frame(event: &Event) -> Frame {
    let verbatim = event.raw.as_deref().and_then(|raw| serde_json::from_str::<&RawValue>(raw).ok());
    match (verbatim, event.sender.as_deref()) {
        (Some(raw), _) => to_frame(&ToGuest { message: &raw }),
        (None, Some(card)) => to_frame(&ToGuest {
            message: &WithNick { message: &event.content, nick_name: &card.username },
        }),
        (None, None) => to_frame(&ToGuest { message: &event.content }),
    }
}

fn to_frame(words: &impl Serialize) -> Frame {
    // Strings and numbers under string keys: there is nothing in it that serde_json refuses.
    Frame::text(&serde_json::to_string(words).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Author, UserId, ids};
    use serde_json::{Value, json};

    fn event(sender: Option<&str>, content: &str, raw: Option<&str>) -> Event {
        let card = sender.map(|name| {
            Arc::new(UserCard {
                id: 1,
                username: name.into(),
                email: format!("{name}@x.io"),
                ..UserCard::default()
            })
        });
        Event {
            id: EventId(ids::random()),
            room: RoomId(ids::random()),
            seq: 7,
            kind: EventKind::Message,
            author: card
                .as_ref()
                .map_or(Author::Guest(ids::random()), |card| Author::User(UserId(card.id))),
            sender: card,
            nick_name: None,
            content: content.into(),
            raw: raw.map(Into::into),
            target: None,
            client_id: None,
            created_at: Timestamp::from_micros(1_735_732_800_000_000),
            edited_at: None,
            deleted_at: None,
        }
    }

    fn said(dialect: Dialect, event: &Event) -> Value {
        let room = RoomWords { id: event.room, name: "global".into() };
        let frame = dialect.say(event, &room).expect("a message has a frame");
        serde_json::from_slice(&frame.payload()).expect("JSON")
    }

    #[test]
    fn guests_get_the_value_verbatim_and_a_users_words_with_his_name() {
        let object = r#"{"message":"hi", "nick_name":"bob","x":1e2}"#;
        let frame = guest_frame(&event(None, "hi", Some(object)));
        assert_eq!(frame.payload(), format!(r#"{{"message":{object}}}"#).as_bytes());
        assert_eq!(said(Dialect::Guest, &event(None, "hi", None)), json!({"message": "hi"}));
        assert_eq!(
            said(Dialect::Guest, &event(Some("alice"), "hi", None)),
            json!({"message": {"message": "hi", "nick_name": "alice"}})
        );
        assert_eq!(
            said(Dialect::Guest, &event(Some("alice"), "hi", Some("\"hi\""))),
            json!({"message": "hi"})
        );
    }

    #[test]
    fn the_superset_frame_has_every_key_of_the_contract() {
        let event = event(Some("alice"), "Hello", None);
        assert_eq!(
            said(Dialect::Chat, &event),
            json!({
                "type": "chat_message", "id": event.id, "seq": 7, "message": "Hello", "content": "Hello",
                "sender_id": 1, "sender": "alice", "username": "alice", "user": "alice",
                "chat_id": event.room, "room": "global",
                "created_at": "2025-01-01T12:00:00.000000Z", "timestamp": "2025-01-01T12:00:00.000000Z"
            })
        );
    }

    #[test]
    fn only_shh_rooms_show_an_address() {
        let event = event(Some("alice"), "hi", None);
        for (dialect, kind, user) in [
            (Dialect::Chat, "chat_message", "alice"),
            (Dialect::ShhCookie, "message", "alice@x.io"),
            (Dialect::ShhToken, "chat_message", "alice@x.io"),
        ] {
            let said = said(dialect, &event);
            assert_eq!((&said["type"], &said["user"]), (&json!(kind), &json!(user)));
            assert_eq!(said["username"], "alice");
        }
    }

    #[test]
    fn a_guest_is_anonymous_unless_he_gives_a_nick() {
        let mut event = event(None, "hi", None);
        let words = said(Dialect::Chat, &event);
        assert_eq!(
            (&words["sender"], &words["sender_id"], &words["user"]),
            (&json!("anonymous"), &Value::Null, &json!(""))
        );
        event.nick_name = Some("bob".into());
        assert_eq!(said(Dialect::Chat, &event)["username"], "bob");
    }

    #[test]
    fn history_is_one_frame_oldest_first_and_empty_without_messages() {
        let rows = [event(Some("alice"), "one", None), event(None, "two", None)];
        let frame = Dialect::ShhCookie.history(&rows);
        let said: Value = serde_json::from_slice(&frame.payload()).expect("JSON");
        assert_eq!(said["type"], "message_history");
        assert_eq!(
            (&said["messages"][0]["user"], &said["messages"][1]["message"]),
            (&json!("alice@x.io"), &json!("two"))
        );
        let none: Value =
            serde_json::from_slice(&Dialect::ShhToken.history([]).payload()).expect("JSON");
        assert_eq!(none, json!({"type": "message_history", "messages": []}));
    }

    #[test]
    fn an_opening_marks_its_frames() {
        let event = event(Some("alice"), "hi", None);
        let room = RoomWords { id: event.room, name: "x".into() };
        let frame = Dialect::Chat.say_again(&event, &room).expect("a frame");
        let said: Value = serde_json::from_slice(&frame.payload()).expect("JSON");
        assert_eq!(said["history"], true);
    }
}
