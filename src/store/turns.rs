//! Who may ask the database next. A query that waits for a connection holds some 20 KB, so a crowd
//! waits here, before its queries are made. Called by all of the store but the Writer, which has
//! connections of its own or is asked for one at a time.

use std::ops::Deref;

use sea_orm::DatabaseConnection;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::connect::PATIENCE;
use super::queries::For;
use super::{Store, StoreError};

/// As many at a time as there are connections.
#[derive(Debug)]
pub(super) struct Turns {
    reads: Semaphore,
    writes: Semaphore,
}

impl Turns {
    /// With so many connections that read, and that write.
    pub(super) fn new(readers: u32, writers: u32) -> Self {
        let semaphore = |places| Semaphore::new(usize::try_from(places).unwrap_or(usize::MAX));
        Self { reads: semaphore(readers), writes: semaphore(writers) }
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
        let place = timeout(PATIENCE, places.acquire()).await;
        let place = place.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Busy)?;
        Ok(Self { db, _place: place })
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
