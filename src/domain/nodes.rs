//! What nodes of one chat say to one another: hints about rooms, who is where, questions. Every
//! one of them may be lost, doubled or late: what must hold stands in the database.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Event, EventKind, RoomId, RoomKind, Subject, Timestamp, UserId, Whom};

/// A node's name among the nodes of one chat. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for NodeId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Something that happened in a room, told to the nodes where the room lives as well.
#[derive(Clone, Debug)]
pub enum Hint {
    /// It was stored: the whole event, so that the next in order needs no query.
    Event(Arc<Event>),
    /// Somebody types, or no longer does.
    Typing {
        /// None for a guest.
        user: Option<UserId>,
        /// As others see him.
        name: String,
        /// Still.
        on: bool,
    },
    /// Somebody has read up to `seq`.
    Read {
        /// Who.
        user: UserId,
        /// How far.
        seq: i64,
    },
    /// The room's row or its members changed: read them anew.
    Reload,
}

/// What befell a chat of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatAction {
    /// He is in it now.
    Added,
    /// He is not, or it is gone.
    Removed,
    /// It has something new.
    Activity,
}

/// Something of a chat, for the native sockets of those whose it is, wherever they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatNews {
    /// Which.
    #[serde(rename = "c")]
    pub chat: RoomId,
    /// What.
    #[serde(rename = "a")]
    pub action: ChatAction,
    /// Its newest event, or the one that says so; 0 when there is none.
    #[serde(rename = "q")]
    pub seq: i64,
    /// Whose it is, and how much each has not read.
    #[serde(rename = "w")]
    pub whose: Vec<(UserId, i64)>,
}

/// What a list shows of a room that may live on another node only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomTag {
    /// Its kind.
    #[serde(rename = "k")]
    pub kind: RoomKind,
    /// Its name, none for private chats.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Made by a guest.
    #[serde(rename = "g", default)]
    pub by_guest: bool,
}

/// A user with a socket in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Who.
    #[serde(rename = "i")]
    pub id: UserId,
    /// His name.
    #[serde(rename = "n")]
    pub name: String,
    /// Since when, microseconds since 1970.
    #[serde(rename = "s", with = "micros")]
    pub since: Timestamp,
    /// His sockets there.
    #[serde(rename = "c", default = "one", skip_serializing_if = "is_one")]
    pub sessions: u32,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
const fn is_one(sessions: &u32) -> bool {
    *sessions == 1
}

/// What changed of who is in a room on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Users who were not there, or held more sockets or fewer.
    pub came: Vec<Present>,
    /// Users without a socket there any more.
    pub went: Vec<UserId>,
    /// Guests there now.
    pub guests: u64,
    /// Sockets there now, those of users and of guests.
    pub sessions: u64,
}

/// A question to other nodes; each answers for what lives there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    /// The node's figures.
    Load,
    /// The figures of those of these rooms that live there.
    Rooms {
        /// Which.
        rooms: Vec<RoomId>,
    },
    /// In which rooms something is said there, and how much of it.
    Busiest,
    /// One room with its people and sockets.
    Room {
        /// Which.
        room: RoomId,
        /// Rows of each at most.
        limit: usize,
    },
    /// How long a user's sockets were in a room there, and so what became of an event for them.
    Stays {
        /// Which room.
        room: RoomId,
        /// Whose.
        user: UserId,
        /// Which event.
        seq: i64,
        /// Its kind.
        kind: EventKind,
    },
    /// How a ban of somebody in a room there is kept.
    Subject {
        /// Which room.
        room: RoomId,
        /// Whom.
        whom: Whom,
    },
}

/// The answer to [`Question::Subject`]: none when no socket there is meant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SubjectSaid {
    subject: Option<String>,
}

impl From<Option<Subject>> for SubjectSaid {
    fn from(subject: Option<Subject>) -> Self {
        Self { subject: subject.map(|subject| subject.to_string()) }
    }
}

impl SubjectSaid {
    /// As it was meant.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        self.subject.as_deref()?.parse().ok()
    }
}

/// What other nodes answered, and who did not.
#[derive(Debug, Default)]
pub struct Answers {
    /// Each answer as JSON.
    pub said: Vec<(NodeId, Box<RawValue>)>,
    /// Asked, and gave no answer in time, or none that anybody understands.
    pub missing: Vec<NodeId>,
}

impl Answers {
    /// The answers in their type; who answered something else is missing, too.
    #[must_use]
    pub fn read<T: DeserializeOwned>(self) -> (Vec<(NodeId, T)>, Vec<NodeId>) {
        let (mut said, mut missing) = (Vec::new(), self.missing);
        for (node, text) in self.said {
            match serde_json::from_str(text.get()) {
                Ok(answer) => said.push((node, answer)),
                Err(_) => missing.push(node),
            }
        }
        (said, missing)
    }
}

/// Times between nodes are numbers: half as long as RFC 3339.
pub mod micros {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::domain::Timestamp;

    /// As microseconds since 1970.
    ///
    /// # Errors
    /// The format's own.
    pub fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.micros())
    }

    /// From microseconds since 1970.
    ///
    /// # Errors
    /// Not a whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_shape_counts_as_missing() {
        let said = |node: &str, text: &str| {
            (NodeId::from(node), RawValue::from_string(text.to_owned()).unwrap_or_default())
        };
        let answers = Answers {
            said: vec![said("a", "7"), said("b", "\"seven\"")],
            missing: vec!["c".into()],
        };
        let (read, missing) = answers.read::<u64>();
        assert_eq!(read, [(NodeId::from("a"), 7)]);
        assert_eq!(missing, [NodeId::from("c"), NodeId::from("b")]);
    }
}
