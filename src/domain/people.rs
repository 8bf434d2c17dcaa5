//! Who somebody is: a user or a guest, and what a user may do in a room.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Author, LoginId, Timestamp, UserId};

/// What others may need to know of a user. Shared, since every event of his points to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserCard {
    /// Row id.
    pub id: i64,
    /// Name, as written.
    pub username: String,
    /// Address, empty when none was given. Only shh rooms show it to others.
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
}

/// A user with a proven login.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub card: Arc<UserCard>,
    /// By which login.
    pub login: LoginId,
    /// An admin.
    pub is_superuser: bool,
    /// When the access token ends that proved it.
    pub token_expires: Timestamp,
}

/// Who is behind a socket or a request.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A user.
    User(SignedIn),
    /// A guest: an identity of its own for each plain socket.
    Guest(Uuid),
}

impl Identity {
    /// As the author of an event.
    #[must_use]
    pub fn author(&self) -> Author {
        match self {
            Self::User(user) => Author::User(UserId(user.card.id)),
            Self::Guest(id) => Author::Guest(*id),
        }
    }

    /// The user's card, when it is one.
    #[must_use]
    pub fn card(&self) -> Option<&Arc<UserCard>> {
        match self {
            Self::User(user) => Some(&user.card),
            Self::Guest(_) => None,
        }
    }

    /// The login behind it, when there is one.
    #[must_use]
    pub fn login(&self) -> Option<LoginId> {
        match self {
            Self::User(user) => Some(user.login),
            Self::Guest(_) => None,
        }
    }
}

/// A member's standing in a room that has membership rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads and writes; adds others in groups.
    Member,
    /// Also removes others.
    Admin,
    /// Also renames and deletes the room. One a room.
    Owner,
}

impl Role {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// As stored, read back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "member" => Some(Self::Member),
            "admin" => Some(Self::Admin),
            "owner" => Some(Self::Owner),
            _ => None,
        }
    }
}
