//! What goes over the wire: one JSON object, `{"v":1,"n":node,"s":started,"k":kind,"b":body}`. Pure.
//!
//! A reader takes the kinds it knows, whatever `v` says, and skips kinds and fields it does not
//! know: so a kind is never given another meaning, and a field that old readers can't do without
//! is a new kind. The room is not inside: the channel says it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::nodes::{ChatNews, Hint, Question, micros};
use crate::domain::{
    Author, Event, EventId, EventKind, NodeId, RoomId, Timestamp, UserCard, UserId,
};

use super::share::Delta;

/// The version that is written.
const VERSION: u16 = 1;

/// Who says it: a node, and the run of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub node: NodeId,
    /// When it started, microseconds since 1970: tells it from an earlier run under that name.
    pub started: i64,
}

/// What is said.
#[derive(Clone, Debug)]
pub enum Said {
    /// Of the channel's room.
    Hint(Hint),
    /// Who is in the channel's room on that node.
    Presence(Delta),
    /// The node is there.
    Beat(Beat),
    /// The node stops.
    Bye,
    /// The hidden room has an event with this `seq`.
    Control(i64),
    /// Something of a chat, for users who are connected to whom it is said.
    Chats(ChatNews),
    /// A question to whoever hears it.
    Ask {
        /// Given by who asks.
        id: u64,
        /// None when it is of a later version.
        question: Option<Question>,
    },
    /// The answer to it.
    Answer {
        /// The question's.
        id: u64,
        /// As JSON; null when the question was not understood.
        body: Box<RawValue>,
    },
}

/// A heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// When it was sent, microseconds since the node's start.
    #[serde(rename = "t")]
    pub sent: u64,
    /// Number of the last change of who is where that can be read.
    #[serde(rename = "r", default)]
    pub kept: u64,
    /// Hints the node could not publish since its start: when it grows, others check.
    #[serde(rename = "l", default)]
    pub lost: u64,
}

/// What was read.
#[derive(Debug)]
pub enum Read {
    /// Said by somebody.
    From(Origin, Said),
    /// Of a kind or a shape that this version does not know.
    Unknown,
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    v: u16,
    #[serde(borrow)]
    n: Cow<'a, str>,
    s: i64,
    #[serde(borrow)]
    k: Cow<'a, str>,
    #[serde(borrow)]
    b: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct EventBody {
    i: EventId,
    q: i64,
    k: String,
    a: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<CardBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    t: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    w: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<String>,
    #[serde(with = "micros")]
    m: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct CardBody {
    i: i64,
    u: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    e: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    f: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    l: String,
}

#[derive(Serialize, Deserialize)]
struct TypingBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<UserId>,
    n: String,
    o: bool,
}

#[derive(Serialize, Deserialize)]
struct ReadBody {
    u: UserId,
    q: i64,
}

#[derive(Serialize, Deserialize)]
struct ControlBody {
    q: i64,
}

#[derive(Serialize, Deserialize)]
struct AskBody<'a> {
    i: u64,
    #[serde(borrow)]
    q: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Empty {}

/// As it goes over the wire.
#[must_use]
pub fn write(origin: &Origin, said: &Said) -> Vec<u8> {
    let (kind, body) = match said {
        Said::Hint(Hint::Event(event)) => ("event", text(&EventBody::of(event))),
        Said::Hint(Hint::Typing { user, name, on }) => {
            ("typing", text(&TypingBody { u: *user, n: name.clone(), o: *on }))
        }
        Said::Hint(Hint::Read { user, seq }) => ("read", text(&ReadBody { u: *user, q: *seq })),
        Said::Hint(Hint::Reload) => ("reload", text(&Empty {})),
        Said::Presence(delta) => ("presence", text(delta)),
        Said::Beat(beat) => ("beat", text(beat)),
        Said::Bye => ("bye", text(&Empty {})),
        Said::Control(seq) => ("control", text(&ControlBody { q: *seq })),
        Said::Chats(news) => ("chats", text(news)),
        Said::Ask { id, question } => {
            let question = text(question);
            ("ask", text(&AskBody { i: *id, q: &question }))
        }
        Said::Answer { id, body } => ("answer", text(&AskBody { i: *id, q: body })),
    };
    let (n, k) = (Cow::Borrowed(origin.node.as_str()), Cow::Borrowed(kind));
    let wire = Wire { v: VERSION, n, s: origin.started, k, b: &body };
    serde_json::to_vec(&wire).unwrap_or_default()
}

/// Reads what came on a channel; `room` is the channel's, where it has one. What `skip` says of
/// the sender is asked first: nobody needs to read his own words.
#[must_use]
pub fn read(
    text: &[u8],
    room: Option<RoomId>,
    skip: impl Fn(&str, i64, &str) -> bool,
) -> Option<Read> {
    let Ok(wire) = serde_json::from_slice::<Wire<'_>>(text) else { return Some(Read::Unknown) };
    if skip(&wire.n, wire.s, &wire.k) {
        return None;
    }
    let origin = Origin { node: NodeId::from(&*wire.n), started: wire.s };
    Some(body(&wire, room).map_or(Read::Unknown, |said| Read::From(origin, said)))
}

fn body(wire: &Wire<'_>, room: Option<RoomId>) -> Option<Said> {
    let text = wire.b.get();
    Some(match (&*wire.k, room) {
        ("event", Some(room)) => {
            Said::Hint(Hint::Event(Arc::new(json::<EventBody>(text)?.event(room)?)))
        }
        ("typing", Some(_)) => {
            let TypingBody { u: user, n: name, o: on } = json(text)?;
            Said::Hint(Hint::Typing { user, name, on })
        }
        ("read", Some(_)) => {
            let ReadBody { u: user, q: seq } = json(text)?;
            Said::Hint(Hint::Read { user, seq })
        }
        ("reload", Some(_)) => Said::Hint(Hint::Reload),
        ("presence", Some(_)) => Said::Presence(json(text)?),
        ("beat", None) => Said::Beat(json(text)?),
        ("bye", None) => Said::Bye,
        ("control", None) => Said::Control(json::<ControlBody>(text)?.q),
        ("chats", None) => Said::Chats(json(text)?),
        ("ask", None) => {
            let AskBody { i: id, q } = json(text)?;
            Said::Ask { id, question: json(q.get()) }
        }
        ("answer", None) => {
            let AskBody { i: id, q } = json(text)?;
            Said::Answer { id, body: q.to_owned() }
        }
        _ => return None,
    })
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn text<T: Serialize>(body: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(body).unwrap_or_default()
}

impl EventBody {
    fn of(event: &Event) -> Self {
        let card = |card: &Arc<UserCard>| CardBody {
            i: card.id,
            u: card.username.clone(),
            e: card.email.clone(),
            f: card.first_name.clone(),
            l: card.last_name.clone(),
        };
        Self {
            i: event.id,
            q: event.seq,
            k: event.kind.as_str().to_owned(),
            a: event.author.to_string(),
            u: event.sender.as_ref().map(card),
            n: event.nick_name.clone(),
            t: event.content.clone(),
            w: event.raw.clone(),
            g: event.target,
            c: event.client_id.clone(),
            m: event.created_at,
            e: event.edited_at.map(Timestamp::micros),
            d: event.deleted_at.map(Timestamp::micros),
        }
    }

    fn event(self, room: RoomId) -> Option<Event> {
        let card = |card: CardBody| UserCard {
            id: card.i,
            username: card.u,
            email: card.e,
            first_name: card.f,
            last_name: card.l,
        };
        Some(Event {
            id: self.i,
            room,
            seq: self.q,
            kind: EventKind::parse(&self.k)?,
            author: self.a.parse::<Author>().ok()?,
            sender: self.u.map(card).map(Arc::new),
            nick_name: self.n,
            content: self.t,
            raw: self.w,
            target: self.g,
            client_id: self.c,
            created_at: self.m,
            edited_at: self.e.map(Timestamp::from_micros),
            deleted_at: self.d.map(Timestamp::from_micros),
        })
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
