//! Ids: one type for each kind of thing, so that a room can't be passed where a user is meant.
//! The one place that makes random ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

uuid_id!(
    /// A room of any kind. Version 7, so that rows made together lie together.
    RoomId
);
uuid_id!(
    /// A durable event of a room. Version 7: its time is the event's own.
    EventId
);
uuid_id!(
    /// One login: the `sid` of every token that it gave out.
    LoginId
);
uuid_id!(
    /// One WebSocket connection, for as long as it lives.
    SessionId
);

/// A user's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Who wrote an event, as the database keeps it: `u:7` or `g:<uuid>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// A user.
    User(UserId),
    /// A guest, by the identity his socket was given.
    Guest(Uuid),
}

impl Author {
    /// The user, when it was one.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Guest(_) => None,
        }
    }
}

impl fmt::Display for Author {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(out, "u:{id}"),
            Self::Guest(id) => write!(out, "g:{id}"),
        }
    }
}

/// A text that is no [`Author`].
#[derive(Debug, thiserror::Error)]
#[error("an author is u:<number> or g:<uuid>")]
pub struct NotAnAuthor;

impl FromStr for Author {
    type Err = NotAnAuthor;

    fn from_str(text: &str) -> Result<Self, NotAnAuthor> {
        match text.split_once(':') {
            Some(("u", id)) => id.parse().map(|id| Self::User(UserId(id))).map_err(|_| NotAnAuthor),
            Some(("g", id)) => id.parse().map(Self::Guest).map_err(|_| NotAnAuthor),
            _ => Err(NotAnAuthor),
        }
    }
}

/// A new random id (version 4), for what has no place in time: guests, sessions, logins.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that makes random ids")]
pub fn random() -> Uuid {
    Uuid::new_v4()
}

/// A new id (version 7) whose time is `at`, to the millisecond; ids made one after the other by
/// one process need not be in order within a millisecond.
#[must_use]
pub fn at(at: Timestamp) -> Uuid {
    let secs = u64::try_from(at.secs()).unwrap_or(0);
    let nanos = u32::try_from(at.micros().rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, secs, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_reads_back_what_it_writes_and_refuses_the_rest() {
        let guest = Author::Guest(random());
        for author in [Author::User(UserId(7)), guest] {
            assert_eq!(author.to_string().parse::<Author>().ok(), Some(author));
        }
        for wrong in ["", "u:", "u:x", "g:7", "x:7", "7"] {
            assert!(wrong.parse::<Author>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_event_id_carries_its_time() {
        let id = at(Timestamp::from_micros(1_735_732_800_123_456));
        assert_eq!(id.get_version_num(), 7);
        let (secs, nanos) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
        assert_eq!((secs, nanos / 1_000_000), (1_735_732_800, 123));
    }
}
