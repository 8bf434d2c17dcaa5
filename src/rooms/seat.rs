//! A socket's seat in a room: all that the room and the Shard need to know of it, shared.

use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::{Author, LoginId, SessionId, Subject, Timestamp, UserCard, UserId};
use crate::protocol::Dialect;

use super::outlet::Slot;

/// A socket in a room.
#[derive(Debug)]
pub struct Seat {
    /// The socket's own id.
    pub session: SessionId,
    /// Where its frames go.
    pub slot: Slot,
    /// What it speaks.
    pub dialect: Dialect,
    /// Who is behind it.
    pub who: Author,
    /// The user's card, none for guests.
    pub card: Option<Arc<UserCard>>,
    /// What he calls himself here; on plain sockets each message says it.
    pub nick_name: Option<String>,
    /// The login that it lives by.
    pub login: Option<LoginId>,
    /// Where it comes from.
    pub ip: IpAddr,
    /// When it joined.
    pub since: Timestamp,
}

impl Seat {
    /// The user behind it.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.who.user()
    }

    /// Who is behind it, for as long as he can have another socket here: not so a guest on a plain
    /// socket, who is nobody else again.
    #[must_use]
    pub fn person(&self) -> Option<Author> {
        (self.user().is_some() || self.dialect == Dialect::Native).then_some(self.who)
    }

    /// How a ban names who is behind it: a guest on a plain socket is nobody else again, so by
    /// where he comes from.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self.who {
            Author::User(user) => Subject::User(user),
            Author::Guest(guest) if self.dialect == Dialect::Native => Subject::Guest(guest),
            Author::Guest(_) => Subject::Address(self.ip),
        }
    }
}
