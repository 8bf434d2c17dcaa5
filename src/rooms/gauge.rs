//! Counts that rooms keep for others to read without asking: a room's people and sockets, and
//! which users are online. Each has one writer, the room; readers may be a moment behind it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::{Timestamp, UserCard, UserId};

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

    /// The store knows now.
    pub(super) fn noted(&self, gone: &HashMap<UserId, Timestamp>) {
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
