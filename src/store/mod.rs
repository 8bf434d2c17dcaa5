//! What is kept. The only user of `entity` and of sea-orm: everybody else speaks in rows and
//! events of `domain`. Must not know rooms, sockets or HTTP.

pub mod writer;

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::StoreSettings;
use crate::domain::{
    Event, LoginId, Role, RoomId, RoomKind, RoomName, RoomRow, Timestamp, UserCard, UserId,
    UserName,
};
use uuid::Uuid;
pub use writer::{Append, ChangeMembers, Committed, MemberChange, MembersChanged, Outcome, Writer};

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The field's value is there already.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// Not there.
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// The database is behind or away: try again.
    #[error("the store is busy")]
    Busy,
    /// The rest.
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
}

/// An account's row.
#[derive(Clone, Debug)]
pub struct UserRow {
    /// What others see.
    pub card: Arc<UserCard>,
    /// PHC string of argon2id.
    pub password_hash: String,
    /// An admin.
    pub is_superuser: bool,
    /// Since when the account is off.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the user was last online.
    pub last_seen: Option<Timestamp>,
}

/// A new account.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Checked.
    pub username: UserName,
    /// Empty for none.
    pub email: String,
    /// PHC string.
    pub password_hash: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// An admin.
    pub is_superuser: bool,
}

/// A login and whose it is.
#[derive(Clone, Debug)]
pub struct LoginRow {
    /// The account.
    pub user: UserRow,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// A refresh token that rotates, as kept: enough to sign the very same JWT again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRow {
    /// `jti`.
    pub jti: Uuid,
    /// `sid`.
    pub login: LoginId,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
}

/// What became of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// This is the successor now; within the grace the same one again.
    Successor(RefreshRow),
    /// Used again after its grace: the whole login is revoked (the store did so).
    Reused,
    /// Not there, or its login has ended.
    Unknown,
}

/// A member of a room.
#[derive(Clone, Debug)]
pub struct MemberRow {
    /// Who.
    pub card: Arc<UserCard>,
    /// As what.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
    /// Read up to here.
    pub read_seq: i64,
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    _p: (),
}

#[allow(missing_docs, clippy::all, clippy::pedantic, unused)]
impl Store {
    /// Connects; makes the SQLite file when missing. Runs no migration.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        todo!()
    }
    /// Applies pending migrations, under a lock on PostgreSQL.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        todo!()
    }
    /// One trivial query; for /readyz.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    // ---- accounts
    /// Taken("username") also when a named room has that name.
    pub async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<UserRow, StoreError> {
        todo!()
    }
    pub async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        todo!()
    }
    /// By key: any spelling that folds to the same.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        todo!()
    }
    /// Case does not matter.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        todo!()
    }
    /// By id, ascending, after `after`.
    pub async fn users(
        &self,
        after: Option<UserId>,
        limit: u64,
    ) -> Result<Vec<UserRow>, StoreError> {
        todo!()
    }
    pub async fn users_by_ids(&self, ids: &[UserId]) -> Result<Vec<UserRow>, StoreError> {
        todo!()
    }
    pub async fn set_password(&self, user: UserId, hash: &str) -> Result<(), StoreError> {
        todo!()
    }
    pub async fn set_disabled(
        &self,
        user: UserId,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        todo!()
    }
    pub async fn seen(&self, users: &[UserId], at: Timestamp) -> Result<(), StoreError> {
        todo!()
    }

    // ---- logins
    pub async fn start_login(&self, user: UserId, now: Timestamp) -> Result<LoginId, StoreError> {
        todo!()
    }
    /// One query: login and user.
    pub async fn login(&self, login: LoginId) -> Result<Option<LoginRow>, StoreError> {
        todo!()
    }
    /// Whether it was open.
    pub async fn revoke_login(&self, login: LoginId, now: Timestamp) -> Result<bool, StoreError> {
        todo!()
    }
    /// All of the user's open logins but one; gives those it ended.
    pub async fn revoke_logins(
        &self,
        user: UserId,
        but: Option<LoginId>,
        now: Timestamp,
    ) -> Result<Vec<LoginId>, StoreError> {
        todo!()
    }
    pub async fn keep_refresh(&self, token: RefreshRow) -> Result<(), StoreError> {
        todo!()
    }
    /// Swaps `jti` for `successor`, or says what it was swapped for within `grace_s`.
    pub async fn rotate_refresh(
        &self,
        jti: Uuid,
        successor: RefreshRow,
        grace_s: i64,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        todo!()
    }
    /// The value under `name`; `candidate` becomes it when there is none.
    pub async fn secret(&self, name: &str, candidate: &str) -> Result<String, StoreError> {
        todo!()
    }

    // ---- rooms
    pub async fn room(&self, id: RoomId) -> Result<Option<RoomRow>, StoreError> {
        todo!()
    }
    /// Open `named` room of that name.
    pub async fn named_room(&self, name: &RoomName) -> Result<Option<RoomRow>, StoreError> {
        todo!()
    }
    /// Open shh room (`kind = room`) of that name.
    pub async fn shh_room(&self, name: &str) -> Result<Option<RoomRow>, StoreError> {
        todo!()
    }
    /// The named room, made when missing (insert or ignore, then read). `by`: none for guests. `bool`: made now.
    pub async fn open_named(
        &self,
        name: &RoomName,
        by: Option<UserId>,
        listed: bool,
        now: Timestamp,
    ) -> Result<(RoomRow, bool), StoreError> {
        todo!()
    }
    /// `listed` rooms by name, after `after`; those closed to guests only when `for_users`.
    pub async fn listed_rooms(
        &self,
        for_users: bool,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<RoomRow>, StoreError> {
        todo!()
    }
    /// Taken("name") when there is an open one.
    pub async fn create_shh_room(
        &self,
        name: &RoomName,
        owner: UserId,
        now: Timestamp,
    ) -> Result<RoomRow, StoreError> {
        todo!()
    }
    /// Owner first; Missing("user") for an unknown member.
    pub async fn create_group(
        &self,
        name: &RoomName,
        owner: UserId,
        members: &[UserId],
        now: Timestamp,
    ) -> Result<RoomRow, StoreError> {
        todo!()
    }
    /// The one private chat of two users. `bool`: made now.
    pub async fn open_pair(
        &self,
        a: UserId,
        b: UserId,
        now: Timestamp,
    ) -> Result<(RoomRow, bool), StoreError> {
        todo!()
    }
    /// Open rooms in which the user is a member, of these kinds, most recently active first; cursor: `RoomId` of the last row seen.
    pub async fn rooms_of(
        &self,
        user: UserId,
        kinds: &[RoomKind],
        after: Option<RoomId>,
        limit: u64,
    ) -> Result<Vec<RoomRow>, StoreError> {
        todo!()
    }
    pub async fn rename_room(&self, room: RoomId, name: &RoomName) -> Result<(), StoreError> {
        todo!()
    }
    /// Sets `closed_at`; false when it was closed or is not there.
    pub async fn close_room(&self, room: RoomId, now: Timestamp) -> Result<bool, StoreError> {
        todo!()
    }
    /// Longest member first.
    pub async fn members(&self, room: RoomId) -> Result<Vec<MemberRow>, StoreError> {
        todo!()
    }
    pub async fn members_of(
        &self,
        rooms: &[RoomId],
    ) -> Result<HashMap<RoomId, Vec<MemberRow>>, StoreError> {
        todo!()
    }
    pub async fn role(&self, room: RoomId, user: UserId) -> Result<Option<Role>, StoreError> {
        todo!()
    }
    /// A ban in force for one of these subjects (`u:7`, `g:<uuid>`, `ip:<address>`).
    pub async fn banned(
        &self,
        room: RoomId,
        subjects: &[String],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        todo!()
    }
    /// Forgets rooms of guests that nobody POSTed, no user wrote to and nobody used since `before`.
    pub async fn forget_idle_rooms(&self, before: Timestamp) -> Result<u64, StoreError> {
        todo!()
    }

    // ---- events
    /// Newest `limit` messages (kind `message`, not other kinds), oldest first.
    pub async fn latest_messages(
        &self,
        room: RoomId,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    /// Messages with `seq` below `before`: the newest `limit`, oldest first.
    pub async fn messages_before(
        &self,
        room: RoomId,
        before: i64,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    /// Messages with `seq` above `after`: the oldest `limit`, oldest first.
    pub async fn messages_after(
        &self,
        room: RoomId,
        after: i64,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    /// Events of every kind with `seq` above `after`: the oldest `limit` within `max_bytes` of text.
    pub async fn events_after(
        &self,
        room: RoomId,
        after: i64,
        limit: u64,
        max_bytes: usize,
    ) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    pub async fn last_messages(
        &self,
        rooms: &[RoomId],
    ) -> Result<HashMap<RoomId, Event>, StoreError> {
        todo!()
    }

    // ---- the Writer
    /// The address of the one Writer (of the lane of a room, on PostgreSQL).
    pub fn writer(&self) -> &Writer {
        todo!()
    }
}
