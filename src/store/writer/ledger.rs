//! One writing transaction of the Writer, on either database. Called by the batch and by changes
//! of members. Must not decide anything: it locks, looks up and writes what it is told.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sqlx::{self, Postgres, Sqlite, Transaction};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr};
use uuid::Uuid;

use super::plan::{Head, Key, NewHead};
use super::{postgres, sqlite};
use crate::domain::{Event, EventId, NewEvent, RoomId};
use crate::store::rows::Cards;

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

    /// Whether this event is stored.
    pub(super) async fn holds(&mut self, id: EventId) -> Result<bool, DbErr> {
        const SQL: &str = "SELECT 1 FROM event WHERE id = $1";
        let found = match self {
            Self::Sqlite(tx) => {
                sqlx::query(SQL).bind(id.0).fetch_optional(&mut **tx).await.map(|row| row.is_some())
            }
            Self::Postgres(tx) => {
                sqlx::query(SQL).bind(id.0).fetch_optional(&mut **tx).await.map(|row| row.is_some())
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
