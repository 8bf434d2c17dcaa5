//! Rows as the layers above see them, and how they are read from the database's. Made by the
//! store's files, read by everybody. Must not hold anything of sea-orm's in a public field.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{refresh_token, room, user};
use sea_orm::{DbErr, QueryResult};
use uuid::Uuid;

use crate::domain::{
    Author, Ban, Event, EventId, EventKind, LoginId, Role, RoomId, RoomKind, RoomRow, Timestamp,
    UserCard, UserId, UserName,
};

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

/// A ticket that opens one socket once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRow {
    /// By which login.
    pub login: LoginId,
    /// When it ends unused.
    pub expires_at: Timestamp,
    /// When the access token ends that bought it, and with it the socket.
    pub token_expires: Timestamp,
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

/// A room with all that it must know to live.
#[derive(Clone, Debug)]
pub struct RoomRows {
    /// Its row.
    pub row: RoomRow,
    /// Its members, longest first.
    pub members: Vec<MemberRow>,
    /// Its bans in force.
    pub bans: Vec<Ban>,
}

/// A line of the audit, as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRow {
    /// Ascending.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// The admin; none for the command line.
    pub actor: Option<UserId>,
    /// His name now.
    pub actor_name: Option<String>,
    /// What, as `Action::as_str` has it.
    pub action: String,
    /// To whom or what, as `Target` writes it.
    pub target: String,
    /// How it was.
    pub before: Option<serde_json::Value>,
    /// How it is.
    pub after: Option<serde_json::Value>,
    /// From where.
    pub ip: Option<String>,
}

impl From<user::Model> for UserRow {
    fn from(row: user::Model) -> Self {
        Self {
            card: Arc::new(UserCard {
                id: row.id,
                username: row.username,
                email: row.email,
                first_name: row.first_name,
                last_name: row.last_name,
            }),
            password_hash: row.password_hash,
            is_superuser: row.is_superuser,
            disabled_at: row.disabled_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.created_at),
            last_seen: row.last_seen.map(Timestamp::from_micros),
        }
    }
}

impl From<refresh_token::Model> for RefreshRow {
    fn from(row: refresh_token::Model) -> Self {
        Self {
            jti: row.jti,
            login: LoginId(row.login),
            issued_at: Timestamp::from_micros(row.issued_at),
            expires_at: Timestamp::from_micros(row.expires_at),
        }
    }
}

/// A room's row in the words of the domain.
pub(super) fn room_row(row: room::Model) -> Result<RoomRow, DbErr> {
    Ok(RoomRow {
        id: RoomId(row.id),
        kind: RoomKind::parse(&row.kind).ok_or_else(|| unreadable("room.kind"))?,
        name: row.name,
        listed: row.listed,
        by_guest: row.by_guest,
        created_by: row.created_by.map(UserId),
        epoch: row.epoch,
        last_seq: row.last_seq,
        member_rev: row.member_rev,
        created_at: Timestamp::from_micros(row.created_at),
        closed_at: row.closed_at.map(Timestamp::from_micros),
    })
}

/// A role as kept.
pub(super) fn role(text: &str) -> Result<Role, DbErr> {
    Role::parse(text).ok_or_else(|| unreadable("membership.role"))
}

/// A row that no version of this program wrote.
fn unreadable(what: &str) -> DbErr {
    DbErr::Type(format!("{what} holds a value unknown to this version: was the file edited?"))
}

/// What a query must give, under these names, for [`Cards::event`]; `event` is `e` and `user`,
/// joined from the left on `e.sender`, is `u`.
pub(super) const EVENT_COLUMNS: &str = "e.id, e.room, e.seq, e.kind, e.author, e.nick_name, \
     e.content, e.raw, e.target, e.client_id, e.created_at, e.edited_at, e.deleted_at, \
     u.id AS user_id, u.username, u.email, u.first_name, u.last_name";

/// Who wrote the event of a row.
pub(super) fn author(row: &QueryResult) -> Result<Author, DbErr> {
    let author: String = row.try_get("", "author")?;
    author.parse().map_err(|_| unreadable("event.author"))
}

/// Cards of one page, each made once however often its user is named.
#[derive(Default)]
pub(super) struct Cards(HashMap<i64, Arc<UserCard>>);

impl Cards {
    /// The card in the columns `user_id`, `username`, `email`, `first_name` and `last_name`; none
    /// when they are null.
    pub(super) fn card(&mut self, row: &QueryResult) -> Result<Option<Arc<UserCard>>, DbErr> {
        let Some(id) = row.try_get::<Option<i64>>("", "user_id")? else { return Ok(None) };
        if let Some(card) = self.0.get(&id) {
            return Ok(Some(Arc::clone(card)));
        }
        let card = Arc::new(UserCard {
            id,
            username: row.try_get("", "username")?,
            email: row.try_get("", "email")?,
            first_name: row.try_get("", "first_name")?,
            last_name: row.try_get("", "last_name")?,
        });
        self.0.insert(id, Arc::clone(&card));
        Ok(Some(card))
    }

    /// The event in [`EVENT_COLUMNS`].
    pub(super) fn event(&mut self, row: &QueryResult) -> Result<Event, DbErr> {
        let kind: String = row.try_get("", "kind")?;
        Ok(Event {
            id: EventId(row.try_get("", "id")?),
            room: RoomId(row.try_get("", "room")?),
            seq: row.try_get("", "seq")?,
            kind: EventKind::parse(&kind).ok_or_else(|| unreadable("event.kind"))?,
            author: author(row)?,
            sender: self.card(row)?,
            nick_name: row.try_get("", "nick_name")?,
            content: row.try_get("", "content")?,
            raw: row.try_get("", "raw")?,
            target: row.try_get::<Option<Uuid>>("", "target")?.map(EventId),
            client_id: row.try_get("", "client_id")?,
            created_at: Timestamp::from_micros(row.try_get("", "created_at")?),
            edited_at: row.try_get::<Option<i64>>("", "edited_at")?.map(Timestamp::from_micros),
            deleted_at: row.try_get::<Option<i64>>("", "deleted_at")?.map(Timestamp::from_micros),
        })
    }
}
