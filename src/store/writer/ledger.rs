//! One writing transaction of the Writer, on either database. Called by the batch and by changes
//! of members. Must not decide anything: it locks, looks up and writes what it is told.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sqlx::{self, Postgres, Sqlite, Transaction};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr};
use uuid::Uuid;

use super::acts::{Message, Reaction, ReactionKey};
use super::plan::{Head, Key, NewHead};
use super::{postgres, sqlite};
use crate::domain::{Event, EventId, EventKind, NewEvent, Record, RoomId};
use crate::store::rows::{Cards, author};

const EDIT: &str =
    "UPDATE event SET content = $1, raw = NULL, edited_at = $2 WHERE id = $3 AND room = $4";
const DELETE: &str = "UPDATE event SET content = '', raw = NULL, deleted_at = $1 \
     WHERE id = $2 AND room = $3";
const EMPTY_EDITS: &str =
    "UPDATE event SET content = '' WHERE room = $1 AND target = $2 AND kind = 'edit'";
/// The same for SQLite, which would read the whole room without being told.
const EMPTY_EDITS_INDEXED: &str = "UPDATE event INDEXED BY event_edit SET content = '' \
     WHERE room = $1 AND target = $2 AND kind = 'edit'";

const RECORD: &str = r#"INSERT INTO audit (at, actor, action, target, "before", "after", ip)
     VALUES ($1, $2, $3, $4, $5, $6, $7)"#;

/// Runs a statement whose text both databases understand.
macro_rules! run {
    ($ledger:expr, $query:expr) => {
        match $ledger {
            Ledger::Sqlite(tx) => $query.execute(&mut **tx).await.map(|_| ()),
            Ledger::Postgres(tx) => $query.execute(&mut **tx).await.map(|_| ()),
        }
        .map_err(driver)
    };
}

/// The transaction.
pub(super) enum Ledger {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Ledger {
    /// Begins; on SQLite with the write lock taken.
    pub(super) async fn begin(db: &DatabaseConnection) -> Result<Self, DbErr> {
        Ok(if db.get_database_backend() == DbBackend::Sqlite {
            let pool = db.get_sqlite_connection_pool();
            Self::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await.map_err(driver)?)
        } else {
            Self::Postgres(db.get_postgres_connection_pool().begin().await.map_err(driver)?)
        })
    }

    /// Locks these rooms, in the order of their ids, and reads them. `rooms` must be in order.
    pub(super) async fn lock(&mut self, rooms: &[Uuid]) -> Result<HashMap<RoomId, Head>, DbErr> {
        let rows = match self {
            Self::Sqlite(tx) => sqlite::heads(tx, rooms).await,
            Self::Postgres(tx) => postgres::lock_heads(tx, rooms).await,
        };
        rows.map_err(driver)?.iter().map(head).collect()
    }

    /// The stored events that have one of these keys.
    pub(super) async fn firsts(&mut self, keys: &[Key<'_>]) -> Result<Vec<Event>, DbErr> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows = match self {
            Self::Sqlite(tx) => sqlite::firsts(tx, keys).await,
            Self::Postgres(tx) => postgres::firsts(tx, keys).await,
        };
        let mut cards = Cards::default();
        rows.map_err(driver)?.iter().map(|row| cards.event(row)).collect()
    }

    /// Those of these messages that are in these rooms, with their present text.
    pub(super) async fn messages(
        &mut self,
        targets: &[(RoomId, EventId)],
    ) -> Result<Vec<Message>, DbErr> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let rows = match self {
            Self::Sqlite(tx) => sqlite::messages(tx, targets).await,
            Self::Postgres(tx) => postgres::messages(tx, targets).await,
        };
        rows.map_err(driver)?.iter().map(message).collect()
    }

    /// The newest reaction of each of these keys that has one.
    pub(super) async fn reactions(
        &mut self,
        keys: &[ReactionKey<'_>],
    ) -> Result<Vec<Reaction>, DbErr> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows = match self {
            Self::Sqlite(tx) => sqlite::reactions(tx, keys).await,
            Self::Postgres(tx) => postgres::reactions(tx, keys).await,
        };
        rows.map_err(driver)?.iter().map(reaction).collect()
    }

    /// Whether this event is stored, at this place.
    pub(super) async fn holds(&mut self, event: &NewEvent, seq: i64) -> Result<bool, DbErr> {
        const SQL: &str = "SELECT 1 FROM event WHERE id = $1 AND room = $2 AND seq = $3";
        let (id, room) = (event.id.0, event.room.0);
        let found = match self {
            Self::Sqlite(tx) => {
                let query = sqlx::query(SQL).bind(id).bind(room).bind(seq);
                query.fetch_optional(&mut **tx).await.map(|row| row.is_some())
            }
            Self::Postgres(tx) => {
                let query = sqlx::query(SQL).bind(id).bind(room).bind(seq);
                query.fetch_optional(&mut **tx).await.map(|row| row.is_some())
            }
        };
        found.map_err(driver)
    }

    /// Writes new events with their `seq`, and what their rooms say afterwards.
    pub(super) async fn append(
        &mut self,
        heads: &[NewHead],
        rows: &[(i64, &NewEvent)],
    ) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(tx) => sqlite::append(tx, heads, rows).await,
            Self::Postgres(tx) => postgres::append(tx, heads, rows).await,
        }
        .map_err(driver)
    }

    /// What an act that is stored does to its message. What was deleted is gone from its earlier
    /// texts as well.
    pub(super) async fn carry_out(&mut self, act: &NewEvent) -> Result<(), DbErr> {
        let Some(target) = act.target else { return Ok(()) };
        let at = act.created_at.micros();
        match act.kind {
            EventKind::Edit => {
                let text = &act.content;
                run!(
                    self,
                    sqlx::query(EDIT).bind(text.clone()).bind(at).bind(target.0).bind(act.room.0)
                )
            }
            EventKind::Delete => {
                run!(self, sqlx::query(DELETE).bind(at).bind(target.0).bind(act.room.0))?;
                let edits = match self {
                    Self::Sqlite(_) => EMPTY_EDITS_INDEXED,
                    Self::Postgres(_) => EMPTY_EDITS,
                };
                run!(self, sqlx::query(edits).bind(act.room.0).bind(target.0))
            }
            _ => Ok(()),
        }
    }

    /// Keeps what is recorded of an admin's act that is stored.
    pub(super) async fn record(&mut self, record: &Record) -> Result<(), DbErr> {
        let text = |json: &Option<serde_json::Value>| json.as_ref().map(ToString::to_string);
        run!(
            self,
            sqlx::query(RECORD)
                .bind(record.deed.at.micros())
                .bind(record.deed.by.map(|user| user.0))
                .bind(record.action.as_str())
                .bind(record.target.to_string())
                .bind(text(&record.before))
                .bind(text(&record.after))
                .bind(record.deed.ip.map(|ip| ip.to_string()))
        )
    }

    /// After this has answered, it is on the disk.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(driver)
    }
}

/// The driver's error, as sea-orm speaks of it.
pub(super) fn driver(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn head(row: &QueryResult) -> Result<(RoomId, Head), DbErr> {
    let head = Head {
        last_seq: row.try_get("", "last_seq")?,
        member_rev: row.try_get("", "member_rev")?,
        closed: row.try_get::<Option<i64>>("", "closed_at")?.is_some(),
    };
    Ok((RoomId(row.try_get("", "id")?), head))
}

fn message(row: &QueryResult) -> Result<Message, DbErr> {
    Ok(Message {
        room: RoomId(row.try_get("", "room")?),
        id: EventId(row.try_get("", "id")?),
        author: author(row)?,
        content: row.try_get("", "content")?,
        deleted: row.try_get::<Option<i64>>("", "deleted_at")?.is_some(),
    })
}

fn reaction(row: &QueryResult) -> Result<Reaction, DbErr> {
    Ok(Reaction {
        room: RoomId(row.try_get("", "room")?),
        target: EventId(row.try_get("", "target")?),
        author: author(row)?,
        emoji: row.try_get("", "content")?,
        on: row.try_get::<Option<String>>("", "raw")?.as_deref() == Some(NewEvent::SET),
    })
}
