//! What became of one event for one user, in the words that admins read and nodes say to one
//! another. `rooms/stays` finds it out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{SessionId, Timestamp};

/// What became of an event for a socket; of several sockets the first in this order is the user's.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The kernel took it: it follows from where the socket came in and how far it got.
    Written,
    /// It is on its way, or waits for the reader.
    Waiting,
    /// The socket had fallen too far behind, was told so (`lag`) and had not joined again.
    Lagged,
    /// The socket ended, or was ended, before it was taken.
    Dropped,
    /// Sockets of this dialect are not told of such events.
    NotSaid,
    /// No socket of the user was in the room when it went out.
    NotConnected,
    /// None is known, and not everybody who was there then is: too much has happened since, or a
    /// node was not running or did not answer.
    PastKeeping,
}

/// One stay of a socket in the room, and what became of the event for it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Stay {
    /// The socket.
    #[schema(value_type = uuid::Uuid)]
    pub session: SessionId,
    /// The node that held it.
    pub node: String,
    /// What it spoke.
    pub dialect: Cow<'static, str>,
    /// When it joined.
    pub since: Timestamp,
    /// The room's newest event when it joined: what follows it is due.
    pub joined_seq: i64,
    /// First and last event that it was sent for having missed them, when it joined.
    pub replayed: Option<(i64, i64)>,
    /// The room's newest event when it left, null while it is there.
    pub left_seq: Option<i64>,
    /// When it left: what was written just before may not have reached a client that was gone.
    pub left_at: Option<Timestamp>,
    /// What became of the event.
    pub fate: Fate,
    /// Why.
    pub why: Cow<'static, str>,
}

/// What one node knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stays {
    /// Whoever left after this is remembered.
    pub known_since: Timestamp,
    /// The stays of the user's sockets, the newest first.
    pub stays: Vec<Stay>,
}
