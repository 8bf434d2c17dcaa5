//! What a room can do with a socket, whichever engine hosts it. Sockets are not `Send`, so they
//! stay on their worker in a thread-local slab; rooms know them as a [`Slot`]. Engines open and
//! shut slots; only the worker's Shard writes through them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use slab::Slab;

use crate::domain::{Posted, RoomId};
use crate::protocol::{CloseCode, Frame};

use super::Refused;
use super::ledger::Tally;

/// A socket, seen from its worker's thread. No method may call back into the slab.
pub trait Outlet {
    /// Takes frames in order: writes what the kernel takes now and keeps the rest, and tells the
    /// room's account of the socket what became of each. Answers how many bytes wait afterwards,
    /// those of the opening not counted.
    fn deliver(&self, frames: &[Frame], tally: Option<&mut Tally>) -> usize;
    /// The same with what goes out to a whole room.
    fn deliver_batch(&self, batch: &Batch, tally: &mut Tally) -> usize {
        self.deliver(batch.frames(), Some(tally))
    }
    /// The socket has its seat in this room and is counted. It gets this first; it may be more
    /// than may wait otherwise.
    fn seated(&self, room: RoomId, opening: &[Frame], tally: &mut Tally);
    /// One of the socket's own posts was answered, the one with this tag.
    fn settle(&self, tag: u64, outcome: Result<Posted, Refused>);
    /// The socket has no seat in this room, or no longer: whoever has no other room is closed.
    /// `is_told`: whatever event made it so reached the socket.
    fn part(&self, room: RoomId, code: CloseCode, is_told: bool);
    /// Says goodbye: what has not begun to go out is dropped, the close frame follows.
    fn close(&self, code: CloseCode);
    /// What waits for the client to read.
    fn backlog(&self) -> Backlog;
    /// When bytes last came from the client; now, while it is not being read.
    fn last_heard(&self) -> Instant;
    /// When its session wants to be woken even if nothing comes.
    fn due(&self) -> Option<Instant>;
    /// Wakes its session.
    fn wake(&self);
}

/// Frames that go out to each socket of a room together. They are put into one piece once, so that
/// each socket costs one write of shared memory.
#[derive(Debug, Default)]
pub struct Batch {
    frames: Vec<Frame>,
    wire: Bytes,
}

impl Batch {
    /// Of these, in order; one alone is not copied.
    pub fn fill<'a>(&mut self, frames: impl Iterator<Item = &'a Frame>) {
        self.frames.clear();
        self.frames.extend(frames.cloned());
        self.wire = match &self.frames[..] {
            [one] => one.wire().clone(),
            several => {
                let len = several.iter().map(|frame| frame.wire().len()).sum();
                let mut wire = BytesMut::with_capacity(len);
                for frame in several {
                    wire.extend_from_slice(frame.wire());
                }
                wire.freeze()
            }
        };
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.wire = Bytes::new();
    }

    /// One by one.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// All of them, as they go over the wire.
    #[must_use]
    pub const fn wire(&self) -> &Bytes {
        &self.wire
    }
}

/// What waits for a client to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// How much.
    pub bytes: usize,
    /// Of that, what rooms had for it when it came in.
    pub opening: usize,
    /// Since when there is something all the time.
    pub since: Option<Instant>,
}

/// Bytes that may wait for a socket that still gets light frames: what is only on its way to the
/// kernel holds nothing up.
const LIGHT_BEHIND: usize = 16 * 1_024;

impl Backlog {
    /// How much came while it was in.
    #[must_use]
    pub const fn live_bytes(self) -> usize {
        self.bytes - self.opening
    }

    /// Whether light frames are left out for this socket.
    #[must_use]
    pub const fn is_too_much_for_light(self) -> bool {
        self.bytes > LIGHT_BEHIND
    }
}

/// The address of a socket: `generation` tells it from a later one in the same place. By default
/// of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The worker, as its Shard is numbered.
    pub worker: usize,
    index: u32,
    generation: u32,
}

impl Slot {
    /// What tells the socket from others of its worker.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }
}

#[cfg(test)]
impl Slot {
    /// Of no socket, on this worker.
    #[must_use]
    pub const fn nowhere(worker: usize) -> Self {
        Self { worker, index: u32::MAX, generation: 0 }
    }
}

struct Place {
    generation: u32,
    outlet: Rc<dyn Outlet>,
}

thread_local! {
    static PLACES: RefCell<Slab<Place>> = const { RefCell::new(Slab::new()) };
    static NEXT_GENERATION: RefCell<u32> = const { RefCell::new(0) };
}

/// Gives the socket a slot on this worker.
#[must_use]
pub fn open(worker: usize, outlet: Rc<dyn Outlet>) -> Slot {
    let generation = NEXT_GENERATION.with_borrow_mut(|next| {
        *next = next.wrapping_add(1);
        *next
    });
    let index = PLACES.with_borrow_mut(|places| places.insert(Place { generation, outlet }));
    Slot { worker, index: u32::try_from(index).unwrap_or(u32::MAX), generation }
}

/// Takes the slot back; what is still sent to it is dropped.
pub fn shut(slot: Slot) {
    let place = PLACES.with_borrow_mut(|places| match places.get(slot.index as usize) {
        Some(place) if place.generation == slot.generation => {
            Some(places.remove(slot.index as usize))
        }
        _ => None,
    });
    // Dropped outside the borrow: the last reference to a socket may go with it.
    drop(place);
}

/// The socket behind a slot of this worker, unless it is gone.
#[must_use]
pub fn find(slot: Slot) -> Option<Rc<dyn Outlet>> {
    PLACES.with_borrow(|places| {
        places
            .get(slot.index as usize)
            .filter(|place| place.generation == slot.generation)
            .map(|place| Rc::clone(&place.outlet))
    })
}

/// Every socket of this worker, in a list of its own, so that each may be shut meanwhile. Each with
/// what tells it from others: [`Slot::generation`].
#[must_use]
pub fn all() -> Vec<(u32, Rc<dyn Outlet>)> {
    let each = |place: &Place| (place.generation, Rc::clone(&place.outlet));
    PLACES.with_borrow(|places| places.iter().map(|(_, place)| each(place)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deaf;
    impl Outlet for Deaf {
        fn deliver(&self, _: &[Frame], _: Option<&mut Tally>) -> usize {
            0
        }
        fn seated(&self, _: RoomId, _: &[Frame], _: &mut Tally) {}
        fn settle(&self, _: u64, _: Result<Posted, Refused>) {}
        fn part(&self, _: RoomId, _: CloseCode, _: bool) {}
        fn close(&self, _: CloseCode) {}
        fn backlog(&self) -> Backlog {
            Backlog::default()
        }
        fn last_heard(&self) -> Instant {
            Instant::now()
        }
        fn due(&self) -> Option<Instant> {
            None
        }
        fn wake(&self) {}
    }

    #[test]
    fn a_slot_never_means_the_socket_that_came_after() {
        let first = open(0, Rc::new(Deaf));
        assert!(find(first).is_some());
        shut(first);
        let second = open(0, Rc::new(Deaf));
        assert_eq!(first.index, second.index);
        assert!(find(first).is_none());
        shut(first);
        assert!(find(second).is_some());
        assert_eq!(all().len(), 1);
    }
}
