//! A socket's way into a room and out of it: what it gets first, its seat, and what the room owes
//! the Shards, the counts and the registry when it comes and goes. Part of the room's actor.

use std::sync::Arc;

use actix::prelude::*;

use crate::domain::{Event, EventKind, RoomId, SessionId, Whom, clock};
use crate::protocol::dialect::OPENING_MESSAGES;
use crate::protocol::native::Verdict;
use crate::protocol::{CloseCode, Opening, close};
use crate::store::{Store, StoreError};

use super::kept::Kept;
use super::past::Past;
use super::resume::{self, PAGE_BYTES, PAGE_EVENTS, Resume, Wanted};
use super::room::Room;
use super::seat::Seat;
use super::shards::ShardHandle;
use super::state::RoomState;
use super::step::Step;

/// What a socket that joins gets first.
#[derive(Clone, Debug)]
pub enum Wants {
    /// A plain one.
    Opening(Opening),
    /// A native one.
    Resume(Resume),
}

/// A socket wants in. When it is dropped on the way (the room died), its socket is told.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Join {
    seat: Arc<Seat>,
    wants: Wants,
    /// The room was compared with the database since it asked.
    compared: bool,
    unkept: Option<(Arc<ShardHandle>, RoomId)>,
}

/// What is read from the database for sockets that join, once for all who wait for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reading {
    /// The newest events, into the window.
    Newest,
    /// The latest messages, which lie further back than the window may reach.
    Latest,
    /// A page of what follows this `seq`.
    After(i64),
    /// Whether there is more than the room knows of; what there is comes the way of all events.
    Head,
}

/// Sockets that wait for the same, and the room's head when it began to be read: what comes after
/// that stays in the window until they have theirs.
#[derive(Default)]
pub(super) struct Readers {
    pub head: i64,
    pub waiting: Vec<Join>,
}

impl Join {
    /// A socket of this worker's `shard`.
    #[must_use]
    pub fn new(room: RoomId, seat: Arc<Seat>, wants: Wants, shard: Arc<ShardHandle>) -> Self {
        Self { seat, wants, compared: false, unkept: Some((shard, room)) }
    }

    fn keep(mut self) -> (Arc<Seat>, Wants) {
        self.unkept = None;
        (Arc::clone(&self.seat), self.wants.clone())
    }

    fn refuse(mut self, code: CloseCode) {
        self.part(code);
    }

    fn part(&mut self, code: CloseCode) {
        if let Some((shard, room)) = self.unkept.take() {
            shard.part(self.seat.slot, room, code);
        }
    }

    /// The past that it wants, or what has to be read for it.
    fn past(&self, state: &RoomState) -> Result<Past, Reading> {
        let (past, further_back) = match &self.wants {
            Wants::Opening(Opening::Nothing) => (Some(Past::Messages(Vec::new())), Reading::Latest),
            Wants::Opening(_) => {
                let latest = state.window.latest_messages(OPENING_MESSAGES);
                (latest.map(Past::Messages), Reading::Latest)
            }
            Wants::Resume(resume) => {
                match resume::wanted(resume, &state.row().epoch, state.head()) {
                    Wanted::Nothing(verdict) => {
                        let page = resume::nothing(verdict, state.head());
                        (Some(Past::Page(page)), Reading::Newest)
                    }
                    Wanted::Ahead if self.compared => {
                        let page = resume::nothing(Verdict::Reset, state.head());
                        (Some(Past::Page(page)), Reading::Head)
                    }
                    Wanted::Ahead => return Err(Reading::Head),
                    Wanted::After(after) => {
                        let rows = state.window.after(after, PAGE_EVENTS);
                        let page =
                            rows.map(|rows| resume::page(after, &rows, state.head(), PAGE_BYTES));
                        (page.map(Past::Page), Reading::After(after))
                    }
                }
            }
        };
        past.ok_or(if state.window.is_filled() { further_back } else { Reading::Newest })
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        self.part(close::SERVER_FAULT);
    }
}

impl Reading {
    async fn read(self, store: Store, room: RoomId, head: i64) -> Read {
        let (events, bytes) = (PAGE_EVENTS as u64, PAGE_BYTES);
        match self {
            Self::Newest => store.events_before(room, head + 1, events, bytes).await,
            Self::Latest => store.latest_messages(room, OPENING_MESSAGES as u64).await,
            Self::After(after) => store.events_after(room, after, events, bytes).await,
            Self::Head => Ok(Vec::new()),
        }
    }
}

type Read = Result<Vec<Event>, StoreError>;

impl Handler<Join> for Room {
    type Result = ();

    fn handle(&mut self, join: Join, ctx: &mut Self::Context) {
        self.note_forwarded();
        match self.may_enter(&join) {
            Ok(()) => self.attach(join, ctx),
            Err(code) => join.refuse(code),
        }
        self.retire_later(ctx);
    }
}

/// A socket is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave(pub SessionId);

impl Handler<Leave> for Room {
    type Result = ();

    fn handle(&mut self, Leave(session): Leave, ctx: &mut Self::Context) {
        self.remove(session, None, ctx);
    }
}

impl Room {
    fn may_enter(&self, join: &Join) -> Result<(), CloseCode> {
        self.state.may_enter(join.seat.who, join.seat.ip, clock::now())
    }

    /// Those who wait for their first frames and whom an admin means.
    pub(super) fn turn_away(&mut self, whom: Whom, code: CloseCode) {
        for readers in self.opening.values_mut() {
            let meant = |join: &mut Join| {
                let seat = &join.seat;
                whom.fits(seat.who, seat.session, seat.ip)
            };
            readers.waiting.extract_if(.., meant).for_each(|join| join.refuse(code));
        }
    }

    /// A socket's way out, whoever wants it.
    pub(super) fn remove(
        &mut self,
        session: SessionId,
        code: Option<CloseCode>,
        ctx: &mut Context<Self>,
    ) {
        // Whoever is still waiting for his first frames goes without a word.
        for readers in self.opening.values_mut() {
            readers
                .waiting
                .retain_mut(|join| join.seat.session != session || join.unkept.take().is_none());
        }
        let due = self.state.due(session);
        let Some((seat, is_gone)) = self.state.leave(session) else {
            return self.retire_later(ctx);
        };
        self.to_shard(&seat, Step::Detach(session, code, due));
        if let Some(user) = seat.user() {
            self.online.went(user, clock::now());
        }
        if self.went_everywhere(&seat, is_gone) {
            self.light.went(&seat);
            self.tell_later(ctx);
        }
        self.count();
        self.retire_later(ctx);
    }

    /// Attaches a socket: what it gets first and live frames take the same way, so that nothing
    /// falls between them.
    fn attach(&mut self, join: Join, ctx: &mut Context<Self>) {
        match join.past(&self.state) {
            // Made anew, it may be behind those who have been here all the time.
            _ if self.is_behind => self.compare_for(join, ctx),
            Err(Reading::Head) => self.compare_for(join, ctx),
            Ok(past) => self.seat(join, &past, ctx),
            Err(reading) => self.read_for(reading, join, ctx),
        }
    }

    fn seat(&mut self, join: Join, past: &Past, ctx: &mut Context<Self>) {
        let (seat, wants) = join.keep();
        let (is_again, is_new) = self.state.join(Arc::clone(&seat));
        if let (Some(card), false) = (&seat.card, is_again) {
            self.online.came(card, seat.since);
        }
        if self.came_from_nowhere(&seat, is_new) {
            self.light.came(&seat);
            self.tell_later(ctx);
        }
        let frames = past.frames(&wants, &seat, &self.state, self.count_everywhere());
        self.state.owe_one(seat.session, frames.len());
        let since = past.since(&wants, self.state.head());
        self.to_shard(&seat, Step::Attach(Arc::clone(&seat), frames, since));
        self.count();
    }

    fn compare_for(&mut self, join: Join, ctx: &mut Context<Self>) {
        self.opening.entry(Reading::Head).or_default().waiting.push(join);
        self.check_position(ctx);
    }

    /// The room knows all that the database had a moment ago.
    pub(super) fn compared(&mut self, ctx: &mut Context<Self>) {
        self.is_behind = false;
        for mut join in self.opening.remove(&Reading::Head).unwrap_or_default().waiting {
            join.compared = true;
            self.admit(join, None, ctx);
        }
    }

    /// Reads something once, for all who wait for it.
    fn read_for(&mut self, reading: Reading, join: Join, ctx: &mut Context<Self>) {
        let (store, room, head) = (self.store.clone(), self.id(), self.state.head());
        let readers =
            self.opening.entry(reading).or_insert_with(|| Readers { head, ..Readers::default() });
        readers.waiting.push(join);
        if readers.waiting.len() > 1 {
            return;
        }
        let work = async move { reading.read(store, room, head).await };
        ctx.spawn(
            work.into_actor(self)
                .map(move |read, room, ctx| room.read_for_joins(reading, read, head, ctx)),
        );
    }

    fn read_for_joins(&mut self, reading: Reading, read: Read, head: i64, ctx: &mut Context<Self>) {
        let waiting = self.opening.remove(&reading).unwrap_or_default().waiting;
        match read {
            Err(error) => {
                log::error!("room {}: its past could not be read: {error}", self.id());
                let is_busy = matches!(error, StoreError::Busy);
                let code = if is_busy { close::BUSY } else { close::SERVER_FAULT };
                for join in waiting {
                    join.refuse(code);
                }
            }
            Ok(rows) => {
                // The database may be ahead of what was delivered: that part comes live.
                let known: Vec<_> = rows.into_iter().filter(|event| event.seq <= head).collect();
                self.admit_with(reading, known, head, waiting, ctx);
            }
        }
        self.trim_window();
        self.retire_later(ctx);
    }

    fn admit_with(
        &mut self,
        reading: Reading,
        known: Vec<Event>,
        head: i64,
        waiting: Vec<Join>,
        ctx: &mut Context<Self>,
    ) {
        if reading == Reading::Newest {
            self.state.window.fill(known, head);
            for join in waiting {
                self.admit(join, None, ctx);
            }
            return;
        }
        let mut rows: Vec<_> = known.into_iter().map(|event| Kept::new(Arc::new(event))).collect();
        if reading == Reading::Latest {
            // What was delivered meanwhile: the window is not trimmed while somebody waits.
            let Some(since) = self.state.window.after(head, usize::MAX) else {
                // What was read is past keeping by now.
                return waiting.into_iter().for_each(|join| self.admit(join, None, ctx));
            };
            rows.extend(since.into_iter().filter(|event| event.kind == EventKind::Message));
            rows.drain(..rows.len().saturating_sub(OPENING_MESSAGES));
        }
        for join in waiting {
            self.admit(join, Some((reading, &rows)), ctx);
        }
    }

    /// Somebody who waited: he may have been removed, or the room closed, meanwhile.
    fn admit(
        &mut self,
        join: Join,
        rows: Option<(Reading, &[Arc<Kept>])>,
        ctx: &mut Context<Self>,
    ) {
        if let Err(code) = self.may_enter(&join) {
            return join.refuse(code);
        }
        match rows {
            None => self.attach(join, ctx),
            Some((Reading::After(after), rows)) => {
                let page = resume::page(after, rows, self.state.head(), PAGE_BYTES);
                self.seat(join, &Past::Page(page), ctx);
            }
            Some((_, rows)) => self.seat(join, &Past::Messages(rows.to_vec()), ctx),
        }
    }
}
