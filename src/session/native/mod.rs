//! A session of `hubbub.v1`, whichever engine hosts it (PROTOCOL.md): many rooms on one socket, or
//! the one of its own door. It turns frames into questions to rooms, and their answers into
//! frames; one question at a time, so that a client that pipelines is answered in order. The
//! engine reads, writes and calls it; it never waits.

mod acts;
mod entering;
mod standing;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use uuid::Uuid;

use crate::auth::paces::{Act, SocketPaces, TooFast};
use crate::config::SessionSettings;
use crate::domain::{Author, RoomId, SignedIn, UserId, clock};
use crate::protocol::native::{self, Asked, Complaint, ErrorCode, Request};
use crate::protocol::{Frame, Incoming, close};
use crate::rooms::{Refused, RoomHandle, Seat, ShardHandle, Slot};

use super::entry::Porter;
use super::note::Note;
use super::place::Departure;
use super::proof::Proof;
use super::relay::Step;
use acts::Flying;
use entering::Entering;

/// Frames that are not of the protocol, each good one taken off, before the socket is closed.
const STRIKES: u32 = 32;
/// Frames over a rate, each good one taken off, before the socket is closed.
const HURRY: u32 = 100;
/// When a client that was refused for want of room should try again.
const BUSY_MS: u64 = 1_000;

/// What is done once an answer is there.
type Then = Box<dyn FnOnce(&mut Native)>;
type Work = Pin<Box<dyn Future<Output = Then>>>;

/// Where a session of `hubbub.v1` lives, and what it may do.
pub struct Berth {
    /// Who lets it into rooms.
    pub porter: Porter,
    /// Its worker's Shard.
    pub shard: Arc<ShardHandle>,
    /// Its place there.
    pub slot: Slot,
    /// Where it comes from.
    pub ip: IpAddr,
    /// Its way out of its rooms.
    pub departure: Rc<Departure>,
    /// Bounds.
    pub limits: Arc<SessionSettings>,
}

/// A room that the socket follows.
struct Joined {
    handle: Arc<RoomHandle>,
    seat: Arc<Seat>,
}

/// The session.
pub struct Native {
    berth: Berth,
    /// The room of its own door; none at the door for many.
    door: Option<String>,
    proof: Proof,
    guest: Option<Uuid>,
    rooms: HashMap<RoomId, Joined>,
    names: HashMap<String, RoomId>,
    at_work: Option<Work>,
    entering: Option<Entering>,
    flying: HashMap<u64, Flying>,
    next_tag: u64,
    out: VecDeque<Step>,
    strikes: u32,
    paces: SocketPaces,
    /// Frames over a rate, each good one taken off.
    hurry: u32,
    /// Until when it must have said who it is.
    owes_by: Instant,
    warned: bool,
    is_called_in: bool,
}

impl Native {
    /// A session that was just let in, with what its upgrade proved; its hello is the first step.
    #[must_use]
    pub fn new(berth: Berth, door: Option<String>, proof: Proof) -> Self {
        let owes_by = Instant::now() + berth.limits.auth_within();
        let paces = berth.porter.paces().of_socket();
        let mut session = Self {
            berth,
            door,
            proof,
            guest: None,
            rooms: HashMap::new(),
            names: HashMap::new(),
            at_work: None,
            entering: None,
            flying: HashMap::new(),
            next_tag: 0,
            out: VecDeque::new(),
            strikes: 0,
            paces,
            hurry: 0,
            owes_by,
            warned: false,
            is_called_in: false,
        };
        session.greet();
        session
    }

    /// Whether the engine must not read on: TCP then holds the client back.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.at_work.is_some()
            || self.entering.is_some()
            || self.flying.len() >= self.berth.limits.max_in_flight
    }

    /// The client said something.
    pub fn hear(&mut self, incoming: Incoming) -> Step {
        match incoming {
            Incoming::Text(text) => {
                let Asked { reference, what } = native::read(&text);
                match what {
                    Ok(request) => {
                        self.strikes = self.strikes.saturating_sub(1);
                        self.carry_out(reference, request);
                    }
                    Err(complaint) => self.complain(reference.as_deref(), &complaint),
                }
            }
            Incoming::Binary => {
                self.strikes += 1;
                self.refuse(None, ErrorCode::BadFrame, "Send JSON in text frames.");
            }
            Incoming::Ping(payload) => return Step::Reply(Frame::pong(&payload)),
            Incoming::Pong => {}
            Incoming::Close => return Step::Close(close::NORMAL),
        }
        if self.strikes > STRIKES {
            return Step::Close(close::NOT_PROTOCOL);
        }
        self.next_step()
    }

    /// Something came for the session from its rooms.
    pub fn note(&mut self, note: Note) -> Step {
        match note {
            Note::Settled(tag, outcome) => self.settled(tag, outcome),
            Note::Seated(room) => self.seated(room),
            Note::Parted(room, code, is_told) => self.parted(room, code, is_told),
        }
        self.next_step()
    }

    /// Goes on with what is under way; to be called until it answers nothing.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Step {
        while let Some(work) = &mut self.at_work {
            let Poll::Ready(then) = work.as_mut().poll(task) else { break };
            self.at_work = None;
            then(self);
        }
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.time_is_up();
        }
        self.next_step()
    }

    /// What is next to be done. Rooms and the Shard may speak to the socket once its hello is out.
    fn next_step(&mut self) -> Step {
        let next = self.out.pop_front();
        if next.is_none() && !std::mem::replace(&mut self.is_called_in, true) {
            self.call_in();
        }
        next.unwrap_or(Step::Nothing)
    }

    /// A frame that makes no sense. Whoever sends many is closed.
    fn complain(&mut self, reference: Option<&str>, Complaint { code, detail }: &Complaint) {
        if matches!(code, ErrorCode::BadFrame | ErrorCode::UnknownType) {
            self.strikes += 1;
        } else if let Err(too_fast) = self.paces.check(Act::Message) {
            return self.too_fast(reference, too_fast);
        }
        self.refuse(reference, *code, detail);
    }

    fn say(&mut self, frame: Frame) {
        self.out.push_back(Step::Reply(frame));
    }

    fn refuse(&mut self, reference: Option<&str>, code: ErrorCode, detail: &str) {
        let retry = (code == ErrorCode::Busy).then_some(BUSY_MS);
        self.say(native::error(reference, code, detail, retry, None));
    }

    fn refused(&mut self, reference: Option<&str>, why: Refused) {
        let code = match why {
            Refused::Busy => ErrorCode::Busy,
            Refused::UnknownOutcome => ErrorCode::UnknownOutcome,
            Refused::Forbidden => ErrorCode::Forbidden,
            Refused::NotFound => ErrorCode::NotFound,
            Refused::Invalid(_) => ErrorCode::Invalid,
            Refused::Internal => ErrorCode::Internal,
        };
        self.refuse(reference, code, &why.to_string());
    }

    fn work(&mut self, work: impl Future<Output = Then> + 'static) {
        self.at_work = Some(Box::pin(work));
    }

    /// The room that the client means, when the socket follows it.
    fn room(&self, named: &str) -> Option<RoomId> {
        let by_id = Uuid::try_parse(named).ok().map(RoomId);
        by_id.or_else(|| self.names.get(named).copied()).filter(|id| self.rooms.contains_key(id))
    }

    fn user(&self) -> Option<&SignedIn> {
        self.proof.user()
    }

    fn author(&self) -> Option<Author> {
        let user = self.user().map(|user| Author::User(UserId(user.card.id)));
        user.or_else(|| self.guest.map(Author::Guest))
    }

    /// Whether the socket may do that now; over its rate it is told when.
    fn may(&mut self, reference: Option<&str>, request: &Request) -> bool {
        let act = match request {
            Request::Auth(_) | Request::Leave { .. } | Request::Ping => return true,
            Request::Typing { .. } | Request::Read { .. } => Act::Typing,
            Request::Join { .. }
            | Request::History { .. }
            | Request::Who { .. }
            | Request::Watch { .. } => Act::Join,
            _ => Act::Message,
        };
        let mut allowed = self.paces.check(act);
        if let (Act::Message, Ok(()), Some(author)) = (act, allowed, self.author()) {
            allowed = self.berth.porter.paces().message(author, self.berth.ip);
        }
        match allowed {
            Ok(()) => self.hurry = self.hurry.saturating_sub(1),
            // Signals are left out in silence: the next one says as much.
            Err(_) if act == Act::Typing => {}
            Err(too_fast) => self.too_fast(reference, too_fast),
        }
        allowed.is_ok()
    }

    /// Tells when to try again what is over its rate; who goes on and on is closed.
    fn too_fast(&mut self, reference: Option<&str>, TooFast(wait): TooFast) {
        self.hurry += 1;
        let retry = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        let detail = "Too fast: wait, then send it again.";
        self.say(native::error(reference, ErrorCode::RateLimited, detail, Some(retry), None));
        if self.hurry > HURRY {
            self.out.push_back(Step::Close(close::RATE_LIMITED));
        }
    }

    fn carry_out(&mut self, reference: Option<String>, request: Request) {
        if !self.may(reference.as_deref(), &request) {
            return;
        }
        match request {
            Request::Auth(proof) => self.auth(reference, proof),
            Request::Join { room, after, epoch, nick_name } => {
                self.join(reference, room, after, epoch, nick_name);
            }
            Request::Watch { people } => self.watch(reference.as_deref(), people),
            Request::Ping => self.say(native::pong(reference.as_deref(), clock::now())),
            Request::Leave { ref room }
            | Request::Send { ref room, .. }
            | Request::Edit { ref room, .. }
            | Request::Delete { ref room, .. }
            | Request::React { ref room, .. }
            | Request::Typing { ref room, .. }
            | Request::Read { ref room, .. }
            | Request::History { ref room, .. }
            | Request::Who { ref room, .. } => match (self.room(room), &request) {
                (None, _) => {
                    let detail = "This socket does not follow that room: join it first.";
                    self.refuse(reference.as_deref(), ErrorCode::NotJoined, detail);
                }
                (Some(room), Request::Leave { .. }) => self.leave(reference.as_deref(), room),
                (Some(room), _) => self.in_room(reference, room, move |session, reference| {
                    session.act(reference, room, request);
                }),
            },
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.berth.shard.call_off(self.berth.slot);
    }
}
