//! A socket's slot on its worker and its seat in its room: taken together when it comes in, given
//! back together when its session ends. Both engines hold one.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::domain::{RoomId, SessionId, clock, ids};
use crate::rooms::outlet::{self, Outlet};
use crate::rooms::{Rooms, Seat, ShardHandle, Slot};

use super::entry::Guest;

/// The socket's way out of its room, taken when the server says goodbye and again when the session
/// ends: a room that died in between was made anew with it.
pub struct Departure {
    session: SessionId,
    rooms: Rooms,
    room: Cell<Option<RoomId>>,
}

impl Departure {
    /// A new session that has no room yet.
    #[must_use]
    pub fn new(rooms: Rooms) -> Rc<Self> {
        Rc::new(Self { session: SessionId(ids::random()), rooms, room: Cell::new(None) })
    }

    /// The room it is to leave.
    pub fn joined(&self, room: RoomId) {
        self.room.set(Some(room));
    }

    /// Leaves.
    pub fn leave(&self) {
        if let Some(room) = self.room.get() {
            self.rooms.leave(room, self.session);
        }
    }
}

/// The slot and the seat.
pub struct Place {
    slot: Slot,
    departure: Rc<Departure>,
}

impl Place {
    /// Opens a slot for a socket.
    #[must_use]
    pub fn open(shard: &ShardHandle, outlet: Rc<dyn Outlet>, departure: Rc<Departure>) -> Self {
        Self { slot: outlet::open(shard.worker, outlet), departure }
    }

    /// The seat that it asks for.
    #[must_use]
    pub fn seat(&self, guest: &Guest, ip: IpAddr) -> Arc<Seat> {
        Arc::new(Seat {
            session: self.departure.session,
            slot: self.slot,
            dialect: guest.dialect,
            who: guest.identity.author(),
            card: guest.identity.card().cloned(),
            login: guest.identity.login(),
            ip,
            since: clock::now(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.departure.leave();
        outlet::shut(self.slot);
    }
}
