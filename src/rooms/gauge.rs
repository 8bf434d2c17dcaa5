//! Counts that rooms keep for others to read without asking: a room's people and sockets, and
//! which users are online. Each has one writer, the room; readers may be a moment behind it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::bus::Bus;
use crate::domain::nodes::Present;
use crate::domain::{Timestamp, UserCard, UserId};
use crate::store::Store;

use super::OnlineUser;
use super::presence::Presence;

/// A room's counts.
#[derive(Debug, Default)]
pub struct Gauge {
    people: AtomicU64,
    sessions: AtomicU64,
    head: AtomicI64,
    member_rev: AtomicI64,
}

impl Gauge {
    /// The room's word.
    pub(super) fn set(&self, presence: &Presence, head: i64, member_rev: i64) {
        self.member_rev.store(member_rev, Ordering::Relaxed);
        self.people.store(presence.people(), Ordering::Relaxed);
        self.sessions.store(presence.sessions(), Ordering::Relaxed);
        self.head.store(head, Ordering::Relaxed);
    }

    /// The room is gone.
    pub(super) fn clear(&self) {
        self.people.store(0, Ordering::Relaxed);
        self.sessions.store(0, Ordering::Relaxed);
    }

    /// People in the room.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.people.load(Ordering::Relaxed)
    }

    /// Sockets in the room.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// How often its members had changed when it last read them.
    #[must_use]
    pub fn member_rev(&self) -> i64 {
        self.member_rev.load(Ordering::Relaxed)
    }

    /// `seq` of the room's newest event.
    #[must_use]
    pub fn head(&self) -> i64 {
        self.head.load(Ordering::Relaxed)
    }
}

struct Here {
    username: String,
    since: Timestamp,
    sockets: u32,
}

/// Which users have a socket in some room, and who has gone of late.
#[derive(Default)]
pub struct Online {
    here: Mutex<HashMap<UserId, Here>>,
    /// When, as long as the store does not know it.
    gone: Mutex<HashMap<UserId, Timestamp>>,
    /// Native sockets by user, of which other nodes are told.
    callers: Mutex<HashMap<UserId, u32>>,
    bus: OnceLock<Bus>,
}

impl Online {
    /// A socket of his sat down.
    pub(super) fn came(&self, card: &UserCard, at: Timestamp) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        here.entry(UserId(card.id))
            .or_insert_with(|| Here { username: card.username.clone(), since: at, sockets: 0 })
            .sockets += 1;
    }

    /// A socket of his went.
    pub(super) fn went(&self, user: UserId, at: Timestamp) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        match here.entry(user) {
            Entry::Occupied(mut place) if place.get().sockets > 1 => {
                place.get_mut().sockets -= 1;
            }
            Entry::Occupied(place) => {
                place.remove();
                self.gone.lock().unwrap_or_else(PoisonError::into_inner).insert(user, at);
            }
            Entry::Vacant(_) => {}
        }
    }

    /// Other nodes are told of users with a native socket from now on.
    pub(super) fn tell(&self, bus: &Bus) {
        if !bus.is_alone() {
            // Only the first one counts: there is one.
            let _ = self.bus.set(bus.clone());
        }
    }

    /// The way to other nodes, if there are any.
    pub(super) fn bus(&self) -> Option<&Bus> {
        self.bus.get()
    }

    /// A native socket of his is there.
    pub(super) fn called_in(&self, card: &UserCard, at: Timestamp) {
        self.came(card, at);
        let Some(bus) = self.bus() else { return };
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = callers.entry(UserId(card.id)).or_default();
        *sockets += 1;
        if *sockets == 1 {
            let (id, name) = (UserId(card.id), card.username.clone());
            bus.called_in(Present { id, name, since: at, sessions: 1 });
        }
    }

    /// One of his native sockets is gone.
    pub(super) fn called_off(&self, user: UserId, at: Timestamp) {
        self.went(user, at);
        let Some(bus) = self.bus() else { return };
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut sockets) = callers.entry(user) {
            *sockets.get_mut() -= 1;
            if *sockets.get() == 0 {
                sockets.remove();
                bus.called_off(user);
            }
        }
    }

    /// Whether he has a socket.
    #[must_use]
    pub fn is_here(&self, user: UserId) -> bool {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&user)
    }

    /// Users whose last socket went, and when, as long as the store does not know it.
    #[must_use]
    pub fn gone(&self) -> HashMap<UserId, Timestamp> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores when those were last seen who have gone since the last time.
    pub(super) async fn note_gone(&self, store: &Store) {
        let gone = self.gone();
        let Some(newest) = gone.values().max() else { return };
        let users: Vec<UserId> = gone.keys().copied().collect();
        match store.seen(&users, *newest).await {
            Ok(()) => self.noted(&gone),
            Err(error) => {
                log::warn!("when {} users were last seen is not stored yet: {error}", gone.len());
            }
        }
    }

    fn noted(&self, gone: &HashMap<UserId, Timestamp>) {
        let mut left = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|user, at| gone.get(user) != Some(at));
    }

    /// All of them, by id.
    #[must_use]
    pub fn list(&self) -> Vec<OnlineUser> {
        let here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = here
            .iter()
            .map(|(id, user)| OnlineUser {
                id: *id,
                username: user.username.clone(),
                since: user.since,
            })
            .collect();
        list.sort_by_key(|user| user.id);
        list
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
