//! Who may ask the database next. A query that waits for a connection holds some 20 KB, so a crowd
//! waits here, before its queries are made. Called by what the store reads and writes for others. Not by
//! the Writer, which stands in the line alone, nor by what is asked once at the start or by `/readyz`.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseConnection, sqlx};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::connect::{FOR_A_TURN, PATIENCE};
use super::queries::For;
use super::{Store, StoreError};

/// Who may stand in line on SQLite at a time: each post waits for as many commits.
const IN_LINE: usize = 4;

/// As many at a time as there are connections.
#[derive(Debug)]
pub(super) struct Turns {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    line: Option<Arc<Semaphore>>,
    patience: Duration,
}

impl Turns {
    /// With so many connections for both. On SQLite (`is_file`) some may stand in line for the one
    /// that writes: one alone would get it only every other time, the Writer being the other.
    pub(super) fn new(connections: u32, is_file: bool) -> Self {
        let places = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        let reads = Arc::new(Semaphore::new(places));
        let in_line = Arc::new(Semaphore::new(places.min(IN_LINE)));
        let writes = if is_file { in_line } else { Arc::clone(&reads) };
        let line = is_file.then(|| Arc::new(Semaphore::new(1)));
        // Whose turn it is on SQLite has his connection; elsewhere it may have to be made.
        let patience = if is_file { PATIENCE } else { FOR_A_TURN };
        Self { reads, writes, line, patience }
    }

    /// The line for the one connection of SQLite's that writes; the Writer stands in it too.
    pub(super) const fn line(&self) -> Option<&Arc<Semaphore>> {
        self.line.as_ref()
    }
}

/// The database, for one query or transaction. Whoever holds one must not ask for another: they
/// could wait for each other.
pub(super) struct Turn<'a> {
    db: &'a DatabaseConnection,
    _places: [Option<SemaphorePermit<'a>>; 2],
}

/// A place in each of these, one after the other.
async fn come<'a>(
    db: &'a DatabaseConnection,
    places: [Option<&'a Semaphore>; 2],
    patience: Duration,
) -> Result<Turn<'a>, StoreError> {
    let take = async {
        let mut taken = [None, None];
        for (place, taken) in places.into_iter().zip(&mut taken) {
            if let Some(place) = place {
                *taken = Some(place.acquire().await.ok()?);
            }
        }
        Some(Turn { db, _places: taken })
    };
    // Who waits too long hears, and the log says, what he would of the driver.
    match timeout(patience, take).await {
        Ok(Some(turn)) => Ok(turn),
        _ => Err(sqlx::Error::PoolTimedOut.into()),
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
        let turns = &self.inner.turns;
        come(&self.inner.read, [Some(&turns.reads), None], turns.patience).await
    }

    /// The connection for one statement that changes something.
    pub(super) async fn write(&self) -> Result<Turn<'_>, StoreError> {
        let turns = &self.inner.turns;
        come(&self.inner.write, [Some(&turns.writes), turns.line.as_deref()], turns.patience).await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    async fn write<'a>(turns: &'a Turns, db: &'a DatabaseConnection) -> Result<(), StoreError> {
        let places = [Some(&*turns.writes), turns.line.as_deref()];
        come(db, places, turns.patience).await.map(|_| ())
    }

    #[actix::test]
    async fn who_gets_no_turn_is_told_and_the_next_one_gets_it() {
        let (turns, db) = (Turns::new(1, false), DatabaseConnection::default());
        let first = come(&db, [Some(&turns.reads), None], turns.patience).await.expect("free");
        let late = write(&turns, &db).await;
        assert!(matches!(late, Err(StoreError::Busy)), "{late:?}");
        drop(first);
        write(&turns, &db).await.expect("nobody has it");
    }

    #[actix::test]
    async fn who_writes_to_a_file_waits_for_the_writer_and_no_reader_does() {
        let (turns, db) = (Turns::new(2, true), DatabaseConnection::default());
        let writer = turns.line().expect("a file's").acquire().await.expect("free");
        come(&db, [Some(&turns.reads), None], turns.patience).await.expect("it reads");
        let (mut first, mut second) = (pin!(write(&turns, &db)), pin!(write(&turns, &db)));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        drop(writer);
        assert!((&mut second).now_or_never().is_none(), "first come, first served");
        first.await.expect("its turn");
        second.await.expect("its turn");
    }
}
