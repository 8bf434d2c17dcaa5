//! How long which socket was in a room, and so what became of an event for it: it follows from the
//! first and the last `seq` of the stay. Only exceptions are noted, from the first one on, and for
//! a while who has left. Pure; kept by the Shard, asked by `gathering.rs`.

use std::collections::VecDeque;

use crate::domain::fates::Fate;
use crate::domain::figures::Ledger;
use crate::domain::{EventKind, RoomId, SessionId, Timestamp, UserId};
use crate::protocol::Dialect;

use super::outlet::Slot;

/// Stays of users that a worker remembers after their end.
const KEPT: usize = 8_192;
/// Sockets whose end for not reading is remembered until their rooms know of it.
const SLOW_KEPT: usize = 256;

/// Where a socket came into a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// The room's newest event then.
    pub head: i64,
    /// First and last event that it was sent for having missed them.
    pub replayed: Option<(i64, i64)>,
}

/// Why a socket was handed nothing more, though it was still in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was told that it lags.
    Lags,
    /// It did not read, and was closed.
    Slow,
    /// It had ended, and the room had yet to learn of it.
    Ended,
}

impl Why {
    const fn fate(self) -> (Fate, &'static str) {
        match self {
            Self::Lags => (
                Fate::Lagged,
                "It did not read fast enough, was told so (lag), and had not joined again.",
            ),
            Self::Slow => (
                Fate::Dropped,
                "It did not read, and was closed for it (4002, or 1013 on plain sockets).",
            ),
            Self::Ended => {
                (Fate::Dropped, "It was closed, or its connection ended, before this was taken.")
            }
        }
    }
}

/// A user's socket in a room, from its join to its end or until now.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Whose.
    pub user: UserId,
    /// The socket.
    pub session: SessionId,
    /// Its place on the worker.
    pub slot: Slot,
    /// What it speaks.
    pub dialect: Dialect,
    /// When it joined.
    pub came: Timestamp,
    /// Where.
    pub since: Since,
    /// From which event on it was handed nothing, and why.
    pub missed: Option<(i64, Why)>,
    /// The newest event that it was handed, or would have been.
    pub reached: i64,
    /// So many of the last frames that it was handed were not taken, or not yet.
    pub untaken: u64,
    /// When it left.
    pub left_at: Option<Timestamp>,
}

/// The frames that a socket was handed and that nobody took: what was dropped but not left out
/// (`spared`) by the group, and what still waits, unless the socket lives on without the room.
#[must_use]
pub const fn untaken(ledger: Ledger, spared: u64, lives_on: bool) -> u64 {
    let waiting = if lives_on { 0 } else { ledger.pending };
    ledger.dropped.saturating_sub(spared) + waiting
}

impl Visit {
    /// The last event that it was handed.
    fn handed(&self) -> i64 {
        self.missed.map_or(self.reached, |(from, _)| from - 1)
    }

    fn was_replayed(&self, seq: i64) -> bool {
        self.since.replayed.is_some_and(|(from, to)| (from..=to).contains(&seq))
    }

    /// Whether it was there when the event went out, or was sent it later.
    #[must_use]
    pub fn covers(&self, seq: i64) -> bool {
        (seq > self.since.head || self.was_replayed(seq))
            && !(self.left_at.is_some() && seq > self.reached)
    }

    /// The events, first and last, of which it must be known how many are messages before
    /// [`Visit::fate`] can be told: a plain socket is told of those alone.
    #[must_use]
    pub fn unclear(&self, seq: i64) -> Option<(i64, i64)> {
        let is_plain = self.dialect != Dialect::Native;
        let is_unclear = self.untaken > 0 && is_plain && self.covers(seq);
        is_unclear.then(|| (seq.max(self.since.head + 1), self.handed()))
    }

    /// What became of an event for it, and why. `messages`: how many there are among what
    /// [`Visit::unclear`] named. A frame more than was dropped may be said to be, never one less:
    /// typing and the like count as frames and not as events.
    #[must_use]
    pub fn fate(&self, seq: i64, kind: EventKind, messages: Option<u64>) -> (Fate, &'static str) {
        let (head, was_replayed) = (self.since.head, self.was_replayed(seq));
        if seq <= head && !was_replayed {
            return (Fate::NotConnected, "It joined later; what came before, a client asks for.");
        }
        if self.left_at.is_some() && seq > self.reached {
            return (Fate::NotConnected, "It had left.");
        }
        if self.dialect != Dialect::Native && kind != EventKind::Message {
            return (Fate::NotSaid, "Plain sockets are told of messages alone.");
        }
        if let Some((_, why)) = self.missed.filter(|(from, _)| *from <= seq) {
            return why.fate();
        }
        if seq > self.reached {
            return (Fate::Waiting, "It is on its way.");
        }
        // Frames from this one on; the whole replay counts as one that came before the others.
        let following = self.handed() - seq.max(head + 1) + 1;
        let following = messages.unwrap_or_else(|| u64::try_from(following).unwrap_or(0));
        let is_untaken =
            if was_replayed { self.untaken > following } else { self.untaken >= following };
        match self.missed {
            _ if !is_untaken && was_replayed => {
                (Fate::Written, "It was sent with what it had missed, when it joined.")
            }
            _ if !is_untaken => (Fate::Written, "It was sent when it came."),
            _ if self.left_at.is_none() => (Fate::Waiting, "It waits for the reader."),
            Some((_, Why::Slow)) => Why::Slow.fate(),
            _ => Why::Ended.fate(),
        }
    }
}

/// Users who have left rooms of a worker, the last ones of them.
#[derive(Debug)]
pub struct Gone {
    visits: VecDeque<(RoomId, Visit)>,
    known_since: Timestamp,
    slow: VecDeque<u32>,
}

impl Gone {
    /// Nobody has left before `now`, as far as is known.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { visits: VecDeque::new(), known_since: now, slow: VecDeque::new() }
    }

    /// Whoever left after this is remembered.
    #[must_use]
    pub const fn known_since(&self) -> Timestamp {
        self.known_since
    }

    /// A socket is being closed for not reading; told from others by its slot's generation.
    pub fn note_slow(&mut self, slot: u32) {
        if self.slow.len() >= SLOW_KEPT {
            self.slow.pop_front();
        }
        self.slow.push_back(slot);
    }

    /// Somebody left.
    pub fn note(&mut self, room: RoomId, mut visit: Visit) {
        if visit.missed.is_none() && self.slow.contains(&visit.slot.generation()) {
            visit.missed = Some((visit.reached + 1, Why::Slow));
        }
        if self.visits.len() >= KEPT
            && let Some((_, oldest)) = self.visits.pop_front()
        {
            self.known_since = oldest.left_at.unwrap_or(self.known_since);
        }
        self.visits.push_back((room, visit));
    }

    /// A user's visits to a room that are over, the newest first.
    pub fn of(&self, room: RoomId, user: UserId) -> impl Iterator<Item = &Visit> {
        let of_room = self.visits.iter().rev().filter(move |(left, _)| *left == room);
        of_room.map(|(_, visit)| visit).filter(move |visit| visit.user == user)
    }
}

#[cfg(test)]
#[path = "stays_tests.rs"]
mod tests;
