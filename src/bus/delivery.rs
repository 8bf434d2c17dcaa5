//! Words of the bus that others read: how it is, and what it brings.

use std::sync::Arc;

use actix::{Message, Recipient};

use crate::domain::nodes::{ChatNews, Hint, Question};
use crate::domain::{NodeId, RoomId, Timestamp};

use super::asking::Reply;

/// How a node speaks to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It runs alone.
    Local,
    /// What it publishes comes back to it.
    Connected,
    /// Nothing has come back for a second, or there is no connection.
    Down,
}

impl Health {
    /// As CONTRACT section 5 names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Connected => "connected",
            Self::Down => "down",
        }
    }
}

/// How the bus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// In a word.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// Grows with each reconnect, and whenever something may have been missed: then whoever
    /// follows rooms checks their positions and presence at once.
    pub resync: u64,
}

/// What the bus brings from other nodes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum Delivery {
    /// Something happened in a room that is subscribed to.
    Hint {
        /// Who says so.
        node: NodeId,
        /// Where.
        room: RoomId,
        /// What.
        hint: Hint,
    },
    /// From now on hints of the room come; what happened before may be missing. After a
    /// reconnect this is not said of each room: [`State::resync`] speaks for all.
    Subscribed(RoomId),
    /// Who is in a room that is subscribed to may be another on other nodes: see `Bus::view`.
    Presence(RoomId),
    /// The hidden room of acts has an event with this `seq`.
    Control(i64),
    /// Something of a chat, for users of this node.
    Chats(ChatNews),
    /// A question, to be answered within a second.
    Asked {
        /// What.
        question: Question,
        /// The way back.
        reply: Reply,
    },
}

/// A sink that can take no more; what it was given is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where the bus brings what comes. Called on the bus's thread, one after the other: it must not
/// wait. What it can't take is counted, and [`State::resync`] grows.
pub trait Sink: Send + 'static {
    /// Takes it, or leaves it out.
    ///
    /// # Errors
    /// At the sink's own bound.
    fn take(&self, delivery: Delivery) -> Result<(), Full>;
}

/// An actor, bounded by its mailbox.
impl Sink for Recipient<Delivery> {
    fn take(&self, delivery: Delivery) -> Result<(), Full> {
        self.try_send(delivery).map_err(|_| Full)
    }
}

impl<S: Sink + Sync> Sink for Arc<S> {
    fn take(&self, delivery: Delivery) -> Result<(), Full> {
        (**self).take(delivery)
    }
}
