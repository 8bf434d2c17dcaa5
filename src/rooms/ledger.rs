//! The ledger of a room's frames: what is due to each socket, and what became of it. The room
//! counts what is due ([`Dues`]), the Shard and the socket count the rest ([`Tally`]); neither
//! sees the other's figures, so that a frame which got lost between them shows. Pure.

use std::cell::Cell;
use std::rc::Rc;

use crate::domain::figures::Ledger;
use crate::protocol::Dialect;

/// What a room has said so far, to each dialect; a socket's part follows from where it came in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dues {
    said: [u64; Dialect::ALL.len()],
}

/// Where a socket came in, against what its room has said.
#[derive(Clone, Copy, Debug)]
pub struct Account(u64);

impl Dues {
    /// One frame for everybody of a dialect.
    pub const fn say(&mut self, dialect: Dialect) {
        self.said[dialect as usize] += 1;
    }

    /// A socket comes in.
    #[must_use]
    pub const fn open(&self, dialect: Dialect) -> Account {
        Account(0_u64.wrapping_sub(self.said[dialect as usize]))
    }

    /// What has become due to a socket so far.
    #[must_use]
    pub const fn of(&self, dialect: Dialect, account: Account) -> u64 {
        self.said[dialect as usize].wrapping_add(account.0)
    }
}

impl Account {
    /// So many frames more, for this socket alone.
    pub const fn add(&mut self, frames: u64) {
        self.0 = self.0.wrapping_add(frames);
    }

    /// One that everybody got but this socket.
    pub const fn spare_one(&mut self) {
        self.0 = self.0.wrapping_sub(1);
    }
}

/// What became of the frames that one room had for one socket.
#[derive(Debug, Default)]
pub struct Tally {
    written: u64,
    /// What became of those that were not written at once; most sockets never have any.
    others: Option<Rc<Others>>,
}

#[derive(Debug, Default)]
struct Others {
    coalesced: Cell<u64>,
    pending: Cell<u64>,
    written: Cell<u64>,
    dropped: Cell<u64>,
}

/// So many frames that wait for their socket. Dropped, they count as dropped.
#[derive(Debug)]
pub struct Waiting(Rc<Others>, u64);

impl Tally {
    /// The kernel took so many at once.
    pub const fn wrote(&mut self, frames: u64) {
        self.written += frames;
    }

    /// The socket had so many already.
    pub fn coalesced(&mut self, frames: u64) {
        self.count(frames, |others| &others.coalesced);
    }

    /// The socket does without so many.
    pub fn dropped(&mut self, frames: u64) {
        self.count(frames, |others| &others.dropped);
    }

    fn count(&mut self, frames: u64, fate: fn(&Others) -> &Cell<u64>) {
        if frames > 0 {
            add(fate(self.others.get_or_insert_default()), frames);
        }
    }

    /// So many have to wait, and go out together.
    #[must_use]
    pub fn waits(&mut self, frames: u64) -> Waiting {
        let others = self.others.get_or_insert_default();
        add(&others.pending, frames);
        Waiting(Rc::clone(others), frames)
    }

    /// The figures, against what the room says was due.
    #[must_use]
    pub fn against(&self, due: u64) -> Ledger {
        let of = |fate: fn(&Others) -> &Cell<u64>| {
            self.others.as_deref().map_or(0, |others| fate(others).get())
        };
        let mut ledger = Ledger {
            due,
            written: self.written + of(|others| &others.written),
            coalesced: of(|others| &others.coalesced),
            dropped: of(|others| &others.dropped),
            pending: of(|others| &others.pending),
            imbalance: 0,
        };
        ledger.imbalance = ledger.due.abs_diff(ledger.accounted());
        ledger
    }
}

impl Waiting {
    /// The kernel has taken them.
    pub fn written(self) {
        add(&self.0.written, self.1);
        // What its drop is about to count.
        self.0.dropped.set(self.0.dropped.get().wrapping_sub(self.1));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.pending.set(self.0.pending.get() - self.1);
        self.0.dropped.set(self.0.dropped.get().wrapping_add(self.1));
    }
}

/// The accounts of sockets that have left. Those with frames still waiting for them keep one of
/// their own until these have gone out, or the socket has.
#[derive(Debug, Default)]
pub struct Left {
    closed: Ledger,
    open: Vec<(Tally, u64)>,
}

impl Left {
    /// One has left, having been due so many.
    pub fn add(&mut self, tally: Tally, due: u64) {
        self.open.push((tally, due));
        self.settle();
    }

    /// Takes another's over.
    pub fn take_over(&mut self, other: Self) {
        self.closed.add(&other.closed);
        self.open.extend(other.open);
        self.settle();
    }

    /// Closes the accounts that can be closed.
    pub fn settle(&mut self) {
        self.open.retain(|(tally, due)| {
            let ledger = tally.against(*due);
            if ledger.pending == 0 {
                self.closed.add(&ledger);
            }
            ledger.pending > 0
        });
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> Ledger {
        let mut total = self.closed;
        self.open.iter().for_each(|(tally, due)| total.add(&tally.against(*due)));
        total
    }
}

fn add(count: &Cell<u64>, n: u64) {
    count.set(count.get() + n);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_socket_is_due_what_was_said_since_it_came_and_its_own() {
        let mut dues = Dues::default();
        dues.say(Dialect::Native);
        let mut account = dues.open(Dialect::Native);
        account.add(3);
        assert_eq!(dues.of(Dialect::Native, account), 3);
        dues.say(Dialect::Native);
        dues.say(Dialect::Chat);
        assert_eq!(dues.of(Dialect::Native, account), 4);
        account.spare_one();
        account.add(2);
        assert_eq!(dues.of(Dialect::Native, account), 5);
    }

    #[test]
    fn a_frame_that_nobody_accounts_for_shows() {
        let mut tally = Tally::default();
        tally.wrote(2);
        assert_eq!(tally.against(2).imbalance, 0);
        assert_eq!(tally.against(3).imbalance, 1);
        tally.dropped(2);
        assert_eq!(tally.against(3).imbalance, 1);
    }

    proptest! {
        /// Whatever becomes of frames, in whatever order: each is counted once.
        #[test]
        fn each_frame_has_one_fate(fates in proptest::collection::vec(0u8..6, 0..60)) {
            let (mut tally, mut waiting) = (Tally::default(), Vec::new());
            let mut due = 0;
            for fate in fates {
                due += [1, 1, 1, 2].get(usize::from(fate)).copied().unwrap_or(0);
                match fate {
                    0 => tally.wrote(1),
                    1 => tally.coalesced(1),
                    2 => tally.dropped(1),
                    3 => waiting.push(tally.waits(2)),
                    4 => { waiting.pop().into_iter().for_each(Waiting::written); }
                    _ => { waiting.pop(); }
                }
                let ledger = tally.against(due);
                prop_assert_eq!(ledger.imbalance, 0);
                prop_assert_eq!(ledger.pending, 2 * waiting.len() as u64);
            }
            drop(waiting);
            prop_assert_eq!(tally.against(due).pending, 0);
        }
    }
}
