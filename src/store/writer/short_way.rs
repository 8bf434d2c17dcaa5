//! The short way to SQLite: a plain batch in rooms whose heads are remembered, in one transaction on
//! the lane's own thread, through a connection of its own. Kept by a lane, called by its batches.
//! Must not decide anything: whatever is not as it is remembered, or goes wrong, is left to the way
//! with looks, which knows what to answer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, Error, TransactionBehavior, params};
use sea_orm::sqlx::sqlite::SqlitePool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::heads::Heads;
use super::plan::{Head, NewHead};
use crate::domain::{NewEvent, RoomId};
use crate::store::connect::{CHECKPOINT, PATIENCE, WRITER_CACHE};

const HEAD: &str = "UPDATE room SET last_seq = ?4, last_at = ?5, user_wrote = user_wrote OR ?6
     WHERE id = ?1 AND last_seq = ?2 AND member_rev = ?3 AND closed_at IS NULL";
const EVENT: &str =
    "INSERT INTO event (id, room, seq, kind, author, sender, nick_name, content, raw,
         target, client_id, created_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, ?10, ?11)";

/// What a lane needs for it.
#[derive(Debug)]
pub(super) struct ShortWay {
    /// Of rooms that it wrote to.
    pub heads: Heads,
    file: PathBuf,
    /// None until it is first needed, and after an error.
    connection: Option<Connection>,
    /// The line of all who write.
    line: Arc<Semaphore>,
    /// Through which everybody else writes.
    others: SqlitePool,
}

/// To write now, before all who stand in line.
pub(super) type Right = Option<OwnedSemaphorePermit>;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is stored, on the disk.
    Stored,
    /// Nothing of it is.
    No,
    /// Nobody knows: the commit failed.
    Unknown,
}

impl ShortWay {
    /// To this file.
    pub fn new(file: PathBuf, line: Arc<Semaphore>, others: SqlitePool) -> Self {
        Self { heads: Heads::default(), file, connection: None, line, others }
    }

    /// Stands in line with everybody who writes. Otherwise SQLite's own lock would hardly ever be free
    /// for them.
    pub async fn stand_in_line(&self) -> Right {
        Arc::clone(&self.line).acquire_owned().await.ok()
    }

    /// Whether whoever wrote last has rolled back what he gave up: that comes after his turn.
    pub fn is_free(&self) -> bool {
        self.others.num_idle() > 0
    }

    /// Appends these rows if all their rooms stand as `known` says, and none of them is there.
    pub fn append(
        &mut self,
        known: &HashMap<RoomId, Head>,
        heads: &[NewHead],
        rows: &[(i64, &NewEvent)],
    ) -> Taken {
        let taken = self.attempt(known, heads, rows);
        taken.unwrap_or_else(|error| {
            log::debug!("a batch takes the way with looks: {error}");
            // With it goes whatever it had begun.
            self.connection = None;
            Taken::No
        })
    }

    fn attempt(
        &mut self,
        known: &HashMap<RoomId, Head>,
        heads: &[NewHead],
        rows: &[(i64, &NewEvent)],
    ) -> Result<Taken, Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(open(&self.file)?),
        };
        let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut update = writing.prepare_cached(HEAD)?;
            for new in heads {
                let Some(old) = known.get(&new.room) else { return Ok(Taken::No) };
                let room = new.room.0.as_bytes();
                let (old_seq, rev) = (old.last_seq, old.member_rev);
                let values = params![room, old_seq, rev, new.last_seq, new.last_at, new.user_wrote];
                if update.execute(values)? == 0 {
                    return Ok(Taken::No);
                }
            }
            let mut insert = writing.prepare_cached(EVENT)?;
            for (seq, event) in rows {
                insert.execute(params![
                    event.id.0.as_bytes(),
                    event.room.0.as_bytes(),
                    seq,
                    event.kind.as_str(),
                    event.author.to_string(),
                    event.author.user().map(|user| user.0),
                    event.nick_name,
                    event.content,
                    event.raw,
                    event.client_id,
                    event.created_at.micros(),
                ])?;
            }
        }
        if let Err(error) = writing.commit() {
            log::warn!("a commit failed, and is looked for: {error}");
            self.connection = None;
            return Ok(Taken::Unknown);
        }
        Ok(Taken::Stored)
    }
}

/// The same promises as every other connection that writes: see `connect.rs`.
fn open(file: &PathBuf) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(
        file,
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    Ok(connection)
}
