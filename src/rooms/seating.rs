//! Who sits in a room, and what the room owes each: sockets come and go, and every frame is put on
//! their accounts. Part of the room's pure state.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{SessionId, Subject, Timestamp, UserId, Whom};
use crate::protocol::{CloseCode, Dialect};

use super::seat::Seat;
use super::state::RoomState;
use super::step::Said;

impl RoomState {
    /// A socket sits down: whether it sat here before, and whether nobody else of his did.
    pub fn join(&mut self, seat: Arc<Seat>) -> (bool, bool) {
        let account = self.seats.get(&seat.session).map(|(_, account)| *account);
        let before = self.leave(seat.session);
        let is_new = self.presence.join(seat.person()) && before.is_none();
        let account = account.unwrap_or_else(|| self.dues.open(seat.dialect));
        self.dialects[seat.dialect as usize] += 1;
        let worker = seat.slot.worker;
        if self.workers.len() <= worker {
            self.workers.resize(worker + 1, 0);
        }
        self.workers[worker] += 1;
        self.seats.insert(seat.session, (seat, account));
        (before.is_some(), is_new)
    }

    /// A socket is gone; its seat, when it had one, and whether nobody else of his is here.
    pub fn leave(&mut self, session: SessionId) -> Option<(Arc<Seat>, bool)> {
        let (seat, _) = self.seats.remove(&session)?;
        let is_gone = self.presence.leave(seat.person());
        self.dialects[seat.dialect as usize] -= 1;
        self.workers[seat.slot.worker] -= 1;
        Some((seat, is_gone))
    }

    /// Everybody gets this, but that one.
    pub fn owe(&mut self, said: &Said, except: Option<SessionId>) {
        said.dialects().for_each(|dialect| self.dues.say(dialect));
        let spared = except.and_then(|session| self.seats.get_mut(&session));
        if let Some((_, account)) = spared.filter(|(seat, _)| said.has(seat.dialect)) {
            account.spare_one();
        }
    }

    /// This socket alone gets so many frames.
    pub fn owe_one(&mut self, session: SessionId, frames: usize) {
        if let Some((_, account)) = self.seats.get_mut(&session) {
            account.add(frames as u64);
        }
    }

    /// Frames that have become due to a socket of the room so far.
    #[must_use]
    pub fn due(&self, session: SessionId) -> u64 {
        self.seats.get(&session).map_or(0, |(seat, account)| self.dues.of(seat.dialect, *account))
    }

    /// Frames that have become due to each socket.
    #[must_use]
    pub fn dues(&self) -> HashMap<SessionId, u64> {
        self.seats.keys().map(|session| (*session, self.due(*session))).collect()
    }

    /// The sockets that an admin means.
    #[must_use]
    pub fn sessions_of(&self, whom: Whom) -> Vec<SessionId> {
        let meant = |seat: &&Arc<Seat>| whom.fits(seat.who, seat.session, seat.ip);
        self.seats().filter(meant).map(|seat| seat.session).collect()
    }

    /// Sockets that may no longer be here, each with the code by which it goes.
    #[must_use]
    pub fn intruders(&self, now: Timestamp) -> Vec<(SessionId, Option<UserId>, CloseCode)> {
        self.seats()
            .filter_map(|seat| {
                let code = self.may_enter(seat.who, seat.ip, now).err()?;
                Some((seat.session, seat.user(), code))
            })
            .collect()
    }

    /// How a ban of whoever is behind a socket here is kept; none when no socket here is meant.
    #[must_use]
    pub fn subject_of(&self, whom: Whom) -> Option<Subject> {
        let mut meant = self.seats().filter(|seat| whom.fits(seat.who, seat.session, seat.ip));
        meant.next().map(|seat| seat.subject())
    }

    /// Whether some socket speaks it.
    #[must_use]
    pub const fn speaks(&self, dialect: Dialect) -> bool {
        self.dialects[dialect as usize] > 0
    }

    /// Workers that hold sockets of the room.
    pub fn workers(&self) -> impl Iterator<Item = usize> {
        self.workers
            .iter()
            .enumerate()
            .filter(|(_, sockets)| **sockets > 0)
            .map(|(worker, _)| worker)
    }
}
