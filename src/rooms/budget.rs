//! The bytes that the windows of recent events of all rooms share, and who gives some back when
//! they are too many: the windows that were not used for longest. Pure; each room counts its own
//! without a lock, and is told in `shedding` when it is its turn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::RoomId;

/// Over the bound this part of it is given back at once, so that the next round is some time off.
const SLACK: usize = 16;

/// Bytes that all windows of a node hold together.
#[derive(Debug)]
pub struct WindowBudget {
    max: usize,
    used: AtomicUsize,
    /// Of those, what windows were asked to give back and have not yet.
    owed: AtomicUsize,
    /// Uses of any window until now: the clock by which they are compared.
    uses: AtomicU64,
    windows: Mutex<HashMap<u64, Arc<Counts>>>,
}

#[derive(Debug)]
struct Counts {
    room: RoomId,
    bytes: AtomicUsize,
    owed: AtomicUsize,
    used_at: AtomicU64,
}

/// One window's part.
#[derive(Debug)]
pub struct Share {
    key: u64,
    counts: Arc<Counts>,
    budget: Arc<WindowBudget>,
}

impl WindowBudget {
    /// At most `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: AtomicUsize::new(0),
            owed: AtomicUsize::new(0),
            uses: AtomicU64::new(0),
            windows: Mutex::default(),
        })
    }

    fn tick(&self) -> u64 {
        self.uses.fetch_add(1, Relaxed)
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<u64, Arc<Counts>>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that nobody was asked for yet.
    fn unasked(&self) -> usize {
        self.used.load(Relaxed).saturating_sub(self.owed.load(Relaxed))
    }

    /// Asks for what is too much; who owes something now and did not before, the window that was
    /// not used for longest first.
    fn ask(&self) -> Vec<RoomId> {
        if self.unasked() <= self.max {
            return Vec::new();
        }
        let windows = self.windows();
        let mut too_much = self.unasked().saturating_sub(self.max - self.max / SLACK);
        let mut free: Vec<&Arc<Counts>> =
            windows.values().filter(|window| window.owed.load(Relaxed) == 0).collect();
        free.sort_unstable_by_key(|window| window.used_at.load(Relaxed));
        let mut asked = Vec::new();
        for window in free {
            let bytes = window.bytes.load(Relaxed).min(too_much);
            if bytes > 0 {
                self.owed.fetch_add(bytes, Relaxed);
                window.owed.store(bytes, Relaxed);
                asked.push(window.room);
            }
            too_much -= bytes;
            if too_much == 0 {
                break;
            }
        }
        asked
    }
}

impl Share {
    /// An empty window's.
    #[must_use]
    pub fn new(room: RoomId, budget: Arc<WindowBudget>) -> Self {
        let key = budget.tick();
        let counts = Arc::new(Counts {
            room,
            bytes: AtomicUsize::new(0),
            owed: AtomicUsize::new(0),
            used_at: AtomicU64::new(key),
        });
        budget.windows().insert(key, Arc::clone(&counts));
        Self { key, counts, budget }
    }

    /// The window was used.
    pub fn touch(&self) {
        self.counts.used_at.store(self.budget.tick(), Relaxed);
    }

    /// It holds so many bytes more.
    pub fn grow(&self, bytes: usize) {
        self.counts.bytes.fetch_add(bytes, Relaxed);
        self.budget.used.fetch_add(bytes, Relaxed);
    }

    /// It holds so many bytes less.
    pub fn shrink(&self, bytes: usize) {
        self.counts.bytes.fetch_sub(bytes, Relaxed);
        self.budget.used.fetch_sub(bytes, Relaxed);
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counts.bytes.load(Relaxed)
    }

    /// Bytes that it has to give back.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.counts.owed.load(Relaxed)
    }

    /// It gave them back.
    pub fn settle(&self) {
        if self.owed() > 0 {
            self.budget.owed.fetch_sub(self.counts.owed.swap(0, Relaxed), Relaxed);
        }
    }

    /// The other rooms that have to be told that they owe something: none as long as all windows
    /// together are within their bound, which costs no lock.
    #[must_use]
    pub fn others_to_tell(&self) -> Vec<RoomId> {
        let mut asked = self.budget.ask();
        asked.retain(|room| *room != self.counts.room);
        asked
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // First of all: nobody asks it for anything from then on.
        self.budget.windows().remove(&self.key);
        self.shrink(self.bytes());
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids;

    fn shares<const N: usize>(budget: &Arc<WindowBudget>) -> [Share; N] {
        std::array::from_fn(|_| Share::new(RoomId(ids::random()), Arc::clone(budget)))
    }

    fn room(share: &Share) -> RoomId {
        share.counts.room
    }

    #[test]
    fn who_was_not_used_for_longest_gives_back_first_and_is_told_once() {
        let budget = WindowBudget::new(1_600);
        let [old, older, new] = shares(&budget);
        for share in [&older, &old, &new] {
            share.grow(500);
            share.touch();
        }
        assert_eq!(new.others_to_tell(), [], "within the bound");
        new.grow(700);
        assert_eq!(new.others_to_tell(), [room(&older), room(&old)]);
        assert_eq!(new.others_to_tell(), [], "they were told");
        assert_eq!((older.owed(), old.owed(), new.owed()), (500, 200, 0));
        for share in [&older, &old] {
            share.shrink(share.owed());
            share.settle();
            assert_eq!(share.owed(), 0);
        }
        assert_eq!((budget.used.load(Relaxed), budget.owed.load(Relaxed)), (1_500, 0));
        new.grow(101);
        assert_eq!(new.others_to_tell(), [room(&old)], "again");
    }

    #[test]
    fn who_holds_most_and_is_in_use_gives_back_what_the_others_can_not() {
        let budget = WindowBudget::new(1_600);
        let [idle, busy] = shares(&budget);
        idle.grow(100);
        busy.grow(2_000);
        busy.touch();
        assert_eq!(busy.others_to_tell(), [room(&idle)]);
        assert_eq!((idle.owed(), busy.owed()), (100, 500));
    }

    #[test]
    fn what_a_window_held_and_owed_goes_with_it() {
        let budget = WindowBudget::new(1_600);
        let [gone, other] = shares(&budget);
        gone.grow(1_000);
        other.grow(1_000);
        assert_eq!(other.others_to_tell(), [room(&gone)]);
        drop(gone);
        assert_eq!((budget.used.load(Relaxed), budget.owed.load(Relaxed)), (1_000, 0));
        assert_eq!(budget.windows().len(), 1);
        assert_eq!(other.others_to_tell(), []);
    }
}
