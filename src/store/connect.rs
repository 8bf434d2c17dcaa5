//! Connections: how each database is opened, held and closed, and how its schema is brought up.
//! Called by the app and the commands at start and end. Every promise about durability is a
//! setting made here.

use std::str::FromStr;
use std::time::Duration;

use futures_util::future::try_join_all;
use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector, Statement,
    TransactionOptions, TransactionTrait,
};
use tokio::time::{Instant, sleep, timeout_at};

use super::error::{Fault, fault};
use super::turns::{Turn, Turns};
use super::writer::{Writer, WriterSettings};
use super::{Inner, Queries, Store, StoreError};
use crate::config::StoreSettings;
use crate::domain::clock;

/// Held while a PostgreSQL schema changes: any number that nobody else in the database uses.
const MIGRATION_LOCK: i64 = 0x6875_6262_7562;
/// Lanes of the Writer on PostgreSQL, so that one hot room doesn't hold up all.
const LANES: usize = 4;
/// On PostgreSQL, how long anybody waits for his turn, before his query is made.
pub(super) const FOR_A_TURN: Duration = Duration::from_secs(2);
/// How long the driver then takes to make a connection, or to see that one still lives.
const FOR_A_CONNECTION: Duration = Duration::from_secs(3);
/// How long anybody waits for a connection in all, or for SQLite's write lock.
pub(super) const PATIENCE: Duration = FOR_A_TURN.saturating_add(FOR_A_CONNECTION);
/// Between two looks whether a server that starts is there.
const AGAIN: Duration = Duration::from_millis(100);
/// SQLite's page cache of the connection that writes, 16 MiB: the ends of a thousand rooms and of
/// their indexes. Not more: after each commit that split a page SQLite walks the whole cache.
pub(super) const WRITER_CACHE: &str = "-16384";
/// Pages in the write-ahead log before they are copied into the file: 32 MiB. Pages that many
/// commits touch are copied once for all of them.
pub(super) const CHECKPOINT: &str = "8000";
/// Connections a lane may open: one works, the others replace it while it hangs.
const LANE_CONNECTIONS: u32 = 3;

impl Store {
    /// Connects; makes the SQLite file when missing. Runs no migration. Needs a running actix
    /// `System`, on which the Writer's threads start.
    ///
    /// # Errors
    /// When the URL can't be read or the database can't be reached.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        let url = settings.database_url.as_str();
        let mut file = None;
        let (read, write, lanes) = if url.starts_with("sqlite:") {
            let (read, write) = open_sqlite(url, settings.readers.max(1)).await?;
            let options = write.get_sqlite_connection_pool().connect_options();
            file = Some(options.get_filename().to_owned());
            (read, write.clone(), vec![write])
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url, settings.readers.max(1)).await?
        } else {
            return Err(unusable("it must start with sqlite:// or postgres://"));
        };
        let turns = Turns::new(settings.readers.max(1), file.is_some());
        let writer = Writer::start(
            lanes,
            file.as_deref().zip(turns.line()),
            WriterSettings { max_batch: settings.max_batch, max_waiting: settings.max_waiting },
        );
        let inner = Inner { read, write, writer, queries: Queries::default(), turns };
        Ok(Self { inner: std::sync::Arc::new(inner) })
    }

    /// Applies pending migrations and makes what every database holds from the start: the secret
    /// that its epochs come from, and the room `control`.
    ///
    /// # Errors
    /// When a step fails; nothing of it is kept then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let (_turn, changing) = self.begin_schema_change().await?;
        Migrator::up(&changing, None).await?;
        super::rooms::make_control(&changing, clock::now()).await?;
        Ok(changing.commit().await?)
    }

    /// Takes back every migration: all that is kept is gone.
    ///
    /// # Errors
    /// When a step fails, or one is applied that this release does not know; nothing is taken back
    /// then.
    pub async fn migrate_down(&self) -> Result<(), StoreError> {
        let (_turn, changing) = self.begin_schema_change().await?;
        let newer = migration::newer_steps(&changing).await?;
        if !newer.is_empty() {
            let newer = newer.join(", ");
            let why = format!("{newer} is of a newer release: take it back with that one first");
            return Err(unusable(&why));
        }
        Migrator::down(&changing, None).await?;
        Ok(changing.commit().await?)
    }

    /// Each migration's name, and whether it is applied.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn migrations(&self) -> Result<Vec<(String, bool)>, StoreError> {
        let steps = Migrator::get_migration_with_status(&self.inner.write).await?;
        let applied = MigrationStatus::Applied;
        Ok(steps.iter().map(|step| (step.name().to_owned(), step.status() == applied)).collect())
    }

    /// Names of migrations that a newer release has applied.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn newer_migrations(&self) -> Result<Vec<String>, StoreError> {
        Ok(migration::newer_steps(&self.inner.write).await?)
    }

    /// Opens what reads of SQLite, so that a crowd that comes first of all need not wait for it. For
    /// a server, once the tables are there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_readers(&self) -> Result<(), StoreError> {
        if self.inner.read.get_database_backend() == DbBackend::Sqlite {
            let pool = self.inner.read.get_sqlite_connection_pool();
            // Each is held until all are there.
            let all = (0..pool.options().get_max_connections()).map(|_| pool.acquire());
            try_join_all(all).await?;
        }
        Ok(())
    }

    /// One trivial query; for `/readyz`.
    ///
    /// # Errors
    /// `Busy` when the database does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner.read.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// What the connection that writes says of how durable a commit is; for the log at the start.
    ///
    /// # Errors
    /// `Busy` when the database does not answer.
    pub async fn durability(&self) -> Result<String, StoreError> {
        let db = &self.inner.write;
        let sqlite = db.get_database_backend() == DbBackend::Sqlite;
        let (ask, settings): (_, &[&str]) = if sqlite {
            ("PRAGMA", &["journal_mode", "synchronous", "foreign_keys", "busy_timeout"])
        } else {
            (
                "SHOW",
                &[
                    "fsync",
                    "synchronous_commit",
                    "lock_timeout",
                    "statement_timeout",
                    "idle_in_transaction_session_timeout",
                    "transaction_isolation",
                ],
            )
        };
        let mut said = Vec::new();
        for setting in settings {
            let sql = format!("{ask} {setting}");
            let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql));
            let row = row.await?.ok_or(StoreError::Missing("setting"))?;
            let value = match row.try_get_by_index::<String>(0) {
                Ok(text) => text,
                Err(_) => row.try_get_by_index::<i64>(0)?.to_string(),
            };
            said.push(format!("{setting}={value}"));
        }
        Ok(said.join(" "))
    }

    /// Ends the Writer, which stores first what it accepted, then the connections.
    pub async fn close(&self) {
        self.inner.writer.close().await;
        for pool in [&self.inner.read, &self.inner.write] {
            if let Err(error) = pool.close_by_ref().await {
                log::warn!("a database connection did not close cleanly: {error}");
            }
        }
    }

    /// A transaction that writes, and the turn that it is: on SQLite it takes the write lock at once,
    /// since one that read first can't take it later without failing.
    pub(super) async fn begin(&self) -> Result<(Turn<'_>, DatabaseTransaction), StoreError> {
        let turn = self.write().await?;
        let begun = begin(&turn).await?;
        Ok((turn, begun))
    }

    /// One process at a time changes a schema; the others wait here, then find it done.
    async fn begin_schema_change(&self) -> Result<(Turn<'_>, DatabaseTransaction), StoreError> {
        let (turn, changing) = self.begin().await?;
        if changing.get_database_backend() == DbBackend::Postgres {
            for sql in [
                "SET LOCAL lock_timeout = 0",
                "SET LOCAL statement_timeout = 0",
                "SET LOCAL idle_in_transaction_session_timeout = 0",
                &format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"),
            ] {
                changing.execute_unprepared(sql).await?;
            }
        }
        Ok((turn, changing))
    }
}

/// See [`Store::begin`].
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: (db.get_database_backend() == DbBackend::Sqlite)
            .then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

/// The readers and the one writer of a file.
async fn open_sqlite(
    url: &str,
    readers: u32,
) -> Result<(DatabaseConnection, DatabaseConnection), StoreError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(unusable("what is in memory is gone with the process: name a file"));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| unusable(&error.to_string()))?
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let held = || {
        SqlitePoolOptions::new()
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    // A full disk or a failed write makes SQLite roll back by itself, which the driver does not
    // learn: such a connection would never begin another transaction, so it is replaced. Whatever
    // roll-back the driver did ask for was awaited when the connection came back to the pool.
    let writer = held().max_connections(1).min_connections(1).before_acquire(|connection, _| {
        Box::pin(async move { Ok(!connection.is_in_transaction()) })
    });
    let writer: SqlitePool = writer
        .connect_with(
            options
                .clone()
                .create_if_missing(true)
                .pragma("cache_size", WRITER_CACHE)
                .pragma("wal_autocheckpoint", CHECKPOINT),
        )
        .await
        .map_err(|error| unusable(&format!("{error}; does its directory exist, writable?")))?;
    // Opened when needed: while somebody else makes the file, they would be in his way.
    let readers = held().max_connections(readers).connect_lazy_with(options.read_only(true));
    Ok((
        SqlxSqliteConnector::from_sqlx_sqlite_pool(readers),
        SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
    ))
}

/// One pool for everybody, and one for each lane, whose connections are made on the lane's own
/// thread when it first needs one.
async fn open_postgres(
    url: &str,
    connections: u32,
) -> Result<(DatabaseConnection, DatabaseConnection, Vec<DatabaseConnection>), StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| unusable(&error.to_string()))?
        .application_name("hubbub")
        .options([
            ("default_transaction_isolation", "read committed"),
            ("synchronous_commit", "on"),
            ("lock_timeout", "2s"),
            ("statement_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "2s"),
        ])
        .disable_statement_logging();
    let held = || PgPoolOptions::new().idle_timeout(None).max_lifetime(None);
    wait_for(&options)
        .await
        .map_err(|error| unusable(&format!("{error}; is the server there?")))?;
    let pool = held()
        .acquire_timeout(FOR_A_CONNECTION)
        .max_connections(connections)
        .connect_lazy_with(options.clone());
    let lane = || {
        // What a test before use would find, the lane finds out by itself, and tries again.
        let lane = held()
            .acquire_timeout(PATIENCE)
            .max_connections(LANE_CONNECTIONS)
            .test_before_acquire(false);
        SqlxPostgresConnector::from_sqlx_postgres_pool(lane.connect_lazy_with(options.clone()))
    };
    let lanes = (0..LANES).map(|_| lane()).collect();
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok((pool.clone(), pool, lanes))
}

/// A server that is only starting is waited for, as nobody waits later.
async fn wait_for(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        let first = timeout_at(until, PgConnection::connect_with(options)).await;
        match first.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok(first) => return first.close().await,
            Err(error) if fault(&error) == Fault::Away && Instant::now() + AGAIN < until => {
                sleep(AGAIN).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn unusable(why: &str) -> StoreError {
    StoreError::Unusable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_transaction_that_sqlite_ended_by_itself_spoils_none_after_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("hubbub.db").display());
        let (_, write) = open_sqlite(&url, 1).await.expect("it opens");
        let spoilt = begin(&write).await.expect("begun");
        spoilt.execute_unprepared("ROLLBACK").await.expect("past the driver");
        drop(spoilt);
        let next = write.get_sqlite_connection_pool().begin_with("BEGIN IMMEDIATE").await;
        next.expect("begun").commit().await.expect("committed");
    }
}
