//! Who may ask the database next. A query that waits for a connection holds some 20 KB, so a crowd
//! waits here, before its queries are made. Called by what the store reads and writes for others. Not by
//! the Writer, nor by what is asked once at the start or by `/readyz`.

use std::ops::Deref;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, sqlx};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::connect::FOR_A_TURN;
use super::queries::For;
use super::{Store, StoreError};

/// As many at a time as there are connections.
#[derive(Debug)]
pub(super) struct Turns {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

impl Turns {
    /// With so many connections for both. On SQLite (`writes_apart`) as many may wait for the one
    /// that writes: one alone would get it only every other time, the Writer being the other.
    pub(super) fn new(connections: u32, writes_apart: bool) -> Self {
        let places = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        let reads = Arc::new(Semaphore::new(places));
        let writes =
            if writes_apart { Arc::new(Semaphore::new(places)) } else { Arc::clone(&reads) };
        Self { reads, writes }
    }
}

/// The database, for one query. Whoever holds one must not ask for another: they could wait for
/// each other.
pub(super) struct Turn<'a> {
    db: &'a DatabaseConnection,
    _place: SemaphorePermit<'a>,
}

impl<'a> Turn<'a> {
    async fn come(places: &'a Semaphore, db: &'a DatabaseConnection) -> Result<Self, StoreError> {
        // Who waits too long hears, and the log says, what he would of the driver.
        match timeout(FOR_A_TURN, places.acquire()).await {
            Ok(Ok(place)) => Ok(Self { db, _place: place }),
            _ => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }
}

impl Deref for Turn<'_> {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        self.db
    }
}

impl Store {
    /// The connection for one query, which is counted.
    pub(super) async fn read(&self, what: For) -> Result<Turn<'_>, StoreError> {
        self.inner.queries.count(what);
        self.read_uncounted().await
    }

    /// The same for what no figure shows.
    pub(super) async fn read_uncounted(&self) -> Result<Turn<'_>, StoreError> {
        Turn::come(&self.inner.turns.reads, &self.inner.read).await
    }

    /// The connection for one statement that changes something.
    pub(super) async fn write(&self) -> Result<Turn<'_>, StoreError> {
        Turn::come(&self.inner.turns.writes, &self.inner.write).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn who_gets_no_turn_is_told_and_the_next_one_gets_it() {
        let (turns, db) = (Turns::new(1, false), DatabaseConnection::default());
        let first = Turn::come(&turns.reads, &db).await.expect("nobody has it");
        let late = Turn::come(&turns.writes, &db).await.map(|_| ());
        assert!(matches!(late, Err(StoreError::Busy)), "{late:?}");
        drop(first);
        Turn::come(&turns.writes, &db).await.map(|_| ()).expect("nobody has it");
    }
}
