//! What goes wrong in the store, and what each database's refusals mean. Called by every file of
//! the store; others see [`StoreError`] alone. Must not hide an error that says the code is wrong.

use std::sync::Arc;

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The field's value is there already.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// Not there.
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// He may not be in that room.
    #[error("banned from the room")]
    Banned,
    /// What a change was checked against is other by now.
    #[error("the members have changed meanwhile: check again")]
    Fenced,
    /// The database is behind or away: try again.
    #[error("the store is busy: try again")]
    Busy,
    /// The settings name a database that can't be used; says why, without the URL, which may hold
    /// a password.
    #[error("DATABASE_URL can't be used: {0}")]
    Unusable(String),
    /// The rest.
    #[error(transparent)]
    Database(DbErr),
}

/// What a refusal of the database means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The database is away, behind, or chose this transaction to end a deadlock: the same again
    /// may succeed.
    Away,
    /// What was asked can't be done, now or later.
    Data,
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match fault_of(&error) {
            Fault::Away => {
                log::warn!("the database is away or behind: {error}");
                Self::Busy
            }
            Fault::Data => Self::Database(error),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::from(DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))))
    }
}

/// As [`fault`], for what sea-orm gives.
pub(super) fn fault_of(error: &DbErr) -> Fault {
    match error {
        DbErr::ConnectionAcquire(_) => Fault::Away,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => fault(error),
        _ => Fault::Data,
    }
}

/// What an error of the driver means.
pub(super) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::InvalidSavePointStatement => Fault::Away,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let sqlite = error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
            let away = if sqlite { sqlite_is_away(&code) } else { postgres_is_away(&code) };
            if away { Fault::Away } else { Fault::Data }
        }
        _ => Fault::Data,
    }
}

/// `SQLITE_BUSY`, `LOCKED`, `NOMEM`, `READONLY`, `IOERR`, `FULL` and `CANTOPEN`; the low byte of an
/// extended code is its kind.
fn sqlite_is_away(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 8 | 10 | 13 | 14))
}

/// Connections, resources and operators' interventions by class; deadlock, serialization, lock
/// time-out, a session ended while idle, and a server that went read-only, by code.
fn postgres_is_away(code: &str) -> bool {
    ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
        || matches!(code, "40001" | "40P01" | "55P03" | "25P03" | "25006")
}

/// Whether the database is there, and others hold what this one waits for.
pub(super) fn is_contended(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let sqlx::Error::Database(error) = &**error else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
    }
    matches!(&*code, "40001" | "40P01" | "55P03" | "57014" | "25P03")
}

/// Whether a unique index refused it, and which (the database's text names the column).
pub(super) fn unique_violation(error: &DbErr) -> Option<String> {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(text)) => Some(text),
        _ => None,
    }
}

/// Whether a foreign key refused it.
pub(super) fn foreign_key_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whether_the_same_again_may_succeed() {
        for code in ["08006", "57P01", "57014", "53300", "40P01", "55P03", "25P03"] {
            assert!(postgres_is_away(code), "{code}");
        }
        for code in ["23505", "22021", "42P01", ""] {
            assert!(!postgres_is_away(code), "{code}");
        }
        for code in ["5", "261", "13", "266"] {
            assert!(sqlite_is_away(code), "{code}");
        }
        for code in ["1555", "2067", "787", "1", ""] {
            assert!(!sqlite_is_away(code), "{code}");
        }
    }
}
