//! The figures for those who watch them: one snapshot a second for all watchers together, and a bound on
//! how many there are. Part of `stats`; `http/admin` streams it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::Stats;

/// How often there are new figures.
pub const EVERY: Duration = Duration::from_secs(1);
/// A snapshot that is younger is shown to the next watcher, too: less than `EVERY`, so that each of his
/// looks sees a newer one.
const LASTS: Duration = Duration::from_millis(900);
/// Watchers of one node.
const WATCHERS_MAX: usize = 64;

/// The last snapshot and the places of watchers.
pub(super) struct Watched {
    last: Mutex<Option<(Instant, Arc<str>)>>,
    places: Arc<Semaphore>,
}

impl Default for Watched {
    fn default() -> Self {
        Self { last: Mutex::default(), places: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }
}

/// A watcher's place; free again when dropped.
#[derive(Debug)]
pub struct Watcher(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Stats {
    /// A place among the watchers; none when there are too many.
    #[must_use]
    pub fn watch(&self) -> Option<Watcher> {
        Arc::clone(&self.watched.places).try_acquire_owned().ok().map(Watcher)
    }

    /// The snapshot as JSON, made at most once a second whoever looks.
    pub async fn seen(&self) -> Arc<str> {
        let mut last = self.watched.last.lock().await;
        if let Some((at, text)) = last.as_ref()
            && at.elapsed() < LASTS
        {
            return Arc::clone(text);
        }
        // Figures and strings under string keys: there is nothing in it that can't be written.
        let text: Arc<str> =
            serde_json::to_string(&self.snapshot().await).unwrap_or_default().into();
        *last = Some((Instant::now(), Arc::clone(&text)));
        text
    }
}
