//! A socket's slot on its worker and its seat in its room: taken together when it comes in, given
//! back together when its session ends. Both engines hold one.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::auth::paces::Pass;
use crate::domain::{RoomId, SessionId, UserId, clock, ids};
use crate::protocol::{CloseCode, Frame, close, native};
use crate::rooms::outlet::{self, Outlet};
use crate::rooms::{Rooms, Seat, ShardHandle, Slot};

use super::entry::Guest;

/// Clients of a node that drains come back spread over this time.
const STAGGER_MS: u64 = 5_000;

/// The socket's way out of its rooms, taken when the server says goodbye and again when the session
/// ends: a room that died in between was made anew with it.
pub struct Departure {
    session: SessionId,
    rooms: Rooms,
    /// Nearly always one.
    joined: Cell<SmallVec<[RoomId; 1]>>,
    is_native: bool,
    pass: Cell<Option<Pass>>,
    /// Once it has a [`Place`].
    slot: Cell<Slot>,
}

impl Departure {
    /// A new session that has no room yet; `is_native`: it speaks `hubbub.v1`.
    #[must_use]
    pub fn new(rooms: Rooms, is_native: bool) -> Rc<Self> {
        let session = SessionId(ids::random());
        Rc::new(Self {
            session,
            rooms,
            joined: Cell::default(),
            is_native,
            pass: Cell::default(),
            slot: Cell::default(),
        })
    }

    /// The session's id.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Whether it speaks `hubbub.v1`.
    #[must_use]
    pub const fn is_native(&self) -> bool {
        self.is_native
    }

    /// It is counted as long as it lives.
    pub fn hold(&self, pass: Pass) {
        self.pass.set(Some(pass));
    }

    /// It has said who it is; false: that user has too many sockets.
    #[must_use]
    pub fn is_proven(&self, user: Option<UserId>) -> bool {
        let mut pass = self.pass.take();
        let is_let_in = pass.as_mut().is_none_or(|pass| pass.is_proven(user));
        self.pass.set(pass);
        is_let_in
    }

    /// A room it is to leave.
    pub fn joined(&self, room: RoomId) {
        let mut joined = self.joined.take();
        if !joined.contains(&room) {
            joined.push(room);
        }
        self.joined.set(joined);
    }

    /// A room that it is no longer in.
    pub fn left(&self, room: RoomId) {
        let mut joined = self.joined.take();
        joined.retain(|other| *other != room);
        self.joined.set(joined);
    }

    /// Leaves one room.
    pub fn leave_one(&self, room: RoomId) {
        self.left(room);
        self.rooms.leave(room, self.session);
    }

    /// Leaves all of them.
    pub fn leave(&self) {
        let joined = self.joined.take();
        for room in &joined {
            self.rooms.leave(*room, self.session);
        }
        self.joined.set(joined);
    }

    /// What goes out last: on native sockets a word of its own, since browsers show no more of a
    /// close than its code.
    #[must_use]
    pub fn goodbye(&self, code: CloseCode) -> SmallVec<[Frame; 2]> {
        if !self.is_native {
            return smallvec![Frame::close(code)];
        }
        let last = Frame::close_native(code);
        if code == close::NORMAL {
            return smallvec![last];
        }
        let staggered = u64::from(self.session.0.as_bytes()[15]) * STAGGER_MS / 255;
        let after_ms = if code == close::GOING_AWAY { staggered } else { 0 };
        smallvec![native::bye(code, after_ms), last]
    }
}

/// The slot and the seat.
pub struct Place(Rc<Departure>);

impl Place {
    /// Opens a slot for a socket.
    #[must_use]
    pub fn open(shard: &ShardHandle, outlet: Rc<dyn Outlet>, departure: Rc<Departure>) -> Self {
        departure.slot.set(outlet::open(shard.worker, outlet));
        Self(departure)
    }

    /// Where it is.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.0.slot.get()
    }

    /// The seat that a plain socket asks for.
    #[must_use]
    pub fn seat(&self, guest: &Guest, ip: IpAddr) -> Arc<Seat> {
        Arc::new(Seat {
            session: self.0.session,
            slot: self.slot(),
            dialect: guest.dialect,
            who: guest.identity.author(),
            card: guest.identity.card().cloned(),
            nick_name: None,
            login: guest.identity.login(),
            ip,
            since: clock::now(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
        outlet::shut(self.slot());
    }
}
