//! Joining and leaving rooms: first where the name leads, then the way in, then the room's word
//! that the socket is seated. One at a time.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{Author, Identity, RoomId, clock};
use crate::protocol::native::{self, ErrorCode};
use crate::protocol::{CloseCode, Dialect, close};
use crate::rooms::joining::{Join, Wants};
use crate::rooms::resume::Resume;
use crate::rooms::{RoomHandle, Seat};

use super::super::door::Refusal;
use super::super::entry::{Denied, Guest};
use super::super::proof::Proof;
use super::super::relay::{Step, farewell};
use super::{Joined, Native, Then};

/// Names under which a socket may speak of the same room.
const NAMES_OF_A_ROOM: usize = 4;

/// A join on its way.
pub(super) struct Entering {
    named: String,
    reference: Option<String>,
    room: RoomId,
    seat: Arc<Seat>,
    handle: Option<Arc<RoomHandle>>,
    is_seated: bool,
}

/// How a client asked to join.
struct Wish {
    named: String,
    nick_name: Option<String>,
    resume: Resume,
}

impl Native {
    /// The room of the socket's own door, at once.
    pub fn enter_own_room(&mut self, after: Option<i64>, epoch: Option<String>) {
        if let (Some(door), true) = (self.door.clone(), self.user().is_some()) {
            self.join(None, door, after, epoch, None);
        }
    }

    pub(super) fn join(
        &mut self,
        reference: Option<String>,
        named: String,
        after: Option<i64>,
        epoch: Option<String>,
        nick_name: Option<String>,
    ) {
        let known = self.room(&named);
        let door = self.door.clone().filter(|door| *door != named && known.is_none());
        // Its own room may be meant by its id.
        if door.is_some() && Uuid::try_parse(&named).is_err() {
            let detail = "This socket is the room's of its address: \"room\" must be that one.";
            return self.refuse(reference.as_deref(), ErrorCode::Invalid, detail);
        }
        if known.is_none() && self.rooms.len() >= self.berth.limits.max_rooms {
            let detail = "\"room\": this socket follows as many rooms as it may, leave one first.";
            return self.refuse(reference.as_deref(), ErrorCode::Invalid, detail);
        }
        let resume = Resume { reference, after, epoch, guest_token: None };
        let wish = Wish { named, nick_name, resume };
        let (porter, proof, ip) = (self.berth.porter.clone(), self.proof.clone(), self.berth.ip);
        self.work(async move {
            let mut place = porter.place_of(&wish.named, &proof, ip).await;
            if let (Some(door), Ok(found)) = (door, &place) {
                let own = porter.place_of(&door, &proof, ip).await;
                place = own.and_then(|own| {
                    let is_own = own.room == found.room;
                    is_own.then_some(own).ok_or(Denied::Refuse(Refusal::BAD_TARGET))
                });
            }
            Box::new(move |session: &mut Self| match place {
                Ok(guest) => session.enter(&guest, wish),
                Err(denied) => session.turned_away(wish.resume.reference.as_deref(), &denied),
            }) as Then
        });
    }

    fn enter(&mut self, place: &Guest, mut wish: Wish) {
        let who = match (&place.identity, self.guest) {
            (Identity::Guest(_), Some(known)) => Author::Guest(known),
            (Identity::Guest(new), None) => {
                wish.resume.guest_token = Some(self.berth.porter.guest_token(*new));
                Author::Guest(*new)
            }
            (user, _) => user.author(),
        };
        let seat = Arc::new(Seat {
            session: self.berth.departure.session(),
            slot: self.berth.slot,
            dialect: Dialect::Native,
            who,
            card: place.identity.card().cloned(),
            nick_name: wish.nick_name,
            login: place.identity.login(),
            ip: self.berth.ip,
            since: clock::now(),
        });
        let room = place.room;
        self.entering = Some(Entering {
            named: wish.named,
            reference: wish.resume.reference.clone(),
            room,
            seat: Arc::clone(&seat),
            handle: None,
            is_seated: false,
        });
        self.berth.departure.joined(room);
        let join = Join::new(room, seat, Wants::Resume(wish.resume), self.berth.shard.clone());
        let rooms = self.berth.porter.rooms().clone();
        self.work(async move {
            let entered = rooms.enter(room, join).await;
            Box::new(move |session: &mut Self| match entered {
                Ok(handle) => {
                    if let Some(entering) = &mut session.entering {
                        entering.handle = Some(handle);
                    }
                    session.come_in();
                }
                Err(refused) => session.parted(room, farewell(refused), false),
            }) as Then
        });
    }

    /// The room has seated the socket.
    pub(super) fn seated(&mut self, room: RoomId) {
        if let Some(entering) = self.entering.as_mut().filter(|entering| entering.room == room) {
            entering.is_seated = true;
            self.come_in();
        }
    }

    /// Once it is seated and knows where to send what it says, it is in.
    fn come_in(&mut self) {
        let is_in = |entering: &mut Entering| entering.is_seated && entering.handle.is_some();
        let Some(entering) = self.entering.take_if(is_in) else { return };
        let Some(handle) = entering.handle else { return };
        if let Author::Guest(id) = entering.seat.who {
            self.guest = Some(id);
            let _ = self.berth.departure.is_proven(None);
        }
        // An id leads there by itself; of names a few, since one room may be meant by several.
        let known = self.names.values().filter(|room| **room == entering.room).count();
        if Uuid::try_parse(&entering.named).is_err() && known < NAMES_OF_A_ROOM {
            self.names.insert(entering.named, entering.room);
        }
        self.rooms.insert(entering.room, Joined { handle, seat: entering.seat });
    }

    /// The socket has no seat in a room: it was turned away, or lost it.
    pub(super) fn parted(&mut self, room: RoomId, code: CloseCode, is_told: bool) {
        let entering = self.entering.take_if(|entering| entering.room == room);
        let was_in = self.rooms.remove(&room).is_some();
        if entering.is_none() && !was_in {
            return;
        }
        self.names.retain(|_, id| *id != room);
        self.berth.departure.leave_one(room);
        // Of another life of what is kept all rooms are.
        if self.door.is_some() || code == close::RESET {
            self.out.push_back(Step::Close(code));
        } else if let Some(entering) = entering {
            self.refuse(entering.reference.as_deref(), reason(code), code.reason);
        } else if !(is_told && code == close::REMOVED) {
            // Who is removed is told by the `member` frame.
            self.say(native::error(None, reason(code), code.reason, None, Some(room)));
        }
    }

    fn turned_away(&mut self, reference: Option<&str>, denied: &Denied) {
        let (code, detail, close) = match denied {
            Denied::Close(_, Some(too_fast)) if self.door.is_none() => {
                // Once for itself, once for the join that was allowed.
                self.hurry += 1;
                return self.too_fast(reference, *too_fast);
            }
            Denied::Close(code, _) => (reason(*code), code.reason, *code),
            Denied::Refuse(refusal) if refusal.status == 503 => {
                (ErrorCode::Busy, refusal.detail, close::BUSY)
            }
            Denied::Refuse(refusal) if refusal.status == 400 => {
                (ErrorCode::Invalid, refusal.detail, close::FORBIDDEN)
            }
            Denied::Refuse(_) if matches!(self.proof, Proof::Nothing) => (
                ErrorCode::Unauthorized,
                "This room needs an account: send auth first.",
                close::UNAUTHORIZED,
            ),
            Denied::Refuse(refusal) => (ErrorCode::Forbidden, refusal.detail, close::FORBIDDEN),
        };
        if self.door.is_some() && code != ErrorCode::Busy {
            self.out.push_back(Step::Close(close));
        } else {
            self.refuse(reference, code, detail);
        }
    }

    pub(super) fn leave(&mut self, reference: Option<&str>, room: RoomId) {
        self.rooms.remove(&room);
        self.names.retain(|_, id| *id != room);
        self.berth.departure.leave_one(room);
        self.say(native::ok(reference));
    }
}

/// What a lost or refused seat is called in an `error` frame.
fn reason(code: CloseCode) -> ErrorCode {
    match code {
        close::ROOM_CLOSED => ErrorCode::NotFound,
        close::REMOVED | close::KICKED | close::BANNED | close::FORBIDDEN => ErrorCode::Forbidden,
        close::UNAUTHORIZED | close::EXPIRED | close::SIGNED_OUT => ErrorCode::Unauthorized,
        close::BUSY => ErrorCode::Busy,
        close::RATE_LIMITED => ErrorCode::RateLimited,
        _ => ErrorCode::Internal,
    }
}
