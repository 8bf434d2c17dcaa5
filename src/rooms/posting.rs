//! A room's way from a post to everybody's socket: check, hand to the Writer, and, once stored,
//! answer and deliver in the order of the database. DESIGN, *One message, forward only*.

use std::net::IpAddr;
use std::sync::Arc;

use actix::prelude::*;

use crate::domain::nodes::Hint;
use crate::domain::{
    Author, Event, EventId, EventKind, NewEvent, Posted, Record, UserCard, clock, ids,
};
use crate::store::{Append, Committed, Outcome, StoreError};

use super::Refused;
use super::admission::{Admission, Held};
use super::room::{InFlight, Room};
use super::state::Advance;
use super::step::{Broadcast, Said, Step};
use super::ticket::Ticket;
use super::window::Window;

/// Events read at a time to fill a gap.
const GAP_EVENTS: u64 = 500;
/// Hints that may wait for a gap to be read.
const AHEAD: usize = 500;
/// Bytes of text read at a time to fill a gap.
const GAP_BYTES: usize = 256 * 1_024;

/// A message on its way into the room. It always comes with all that it must hold, so that the
/// room never has to turn it away for lack of space.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Post {
    /// By whom.
    pub author: Author,
    /// From where, when it came from a socket.
    pub from: Option<IpAddr>,
    /// An admin's act, who need not be a member: what is recorded of it.
    pub record: Option<Box<Record>>,
    /// The author's card when he is a user.
    pub sender: Option<Arc<UserCard>>,
    /// The text.
    pub content: String,
    /// The name a guest gave himself.
    pub nick_name: Option<String>,
    /// See `NewEvent::raw`.
    pub raw: Option<String>,
    /// See `NewEvent::client_id`.
    pub client_id: Option<String>,
    /// A message, or an act on one.
    pub kind: EventKind,
    /// The message that it is about, or answers.
    pub target: Option<EventId>,
    /// Its places in the room and with the Writer.
    pub admission: Admission,
    /// Who waits for the answer.
    pub ticket: Ticket,
    /// Came through the registry, not from a socket in the room.
    pub forwarded: bool,
}

impl Handler<Post> for Room {
    type Result = ();

    fn handle(&mut self, post: Post, ctx: &mut Self::Context) {
        let fault = &self.faults.room_panics_on;
        assert!(fault.is_empty() || post.content != *fault, "a fault on purpose");
        if post.forwarded {
            self.note_forwarded();
        }
        if self.must_hold_back() {
            self.held_back.push_back(post);
        } else {
            self.take(post, ctx);
        }
    }
}

impl Room {
    /// While the members change, or the store's fence says that they have, posts wait: what was
    /// sent before must not be overtaken by what was sent after.
    fn must_hold_back(&self) -> bool {
        self.reloading || !self.changing.is_empty() || !self.fenced.is_empty()
    }

    /// Goes on with the posts that waited.
    pub(super) fn release(&mut self, ctx: &mut Context<Self>) {
        if !self.must_hold_back() {
            for post in std::mem::take(&mut self.held_back) {
                self.take(post, ctx);
            }
        }
    }

    /// Checks a post and hands it to the Writer.
    pub(super) fn take(&mut self, post: Post, ctx: &mut Context<Self>) {
        let now = clock::now();
        let allowed = match &post.record {
            Some(_) => self.state.is_open(),
            None => self.state.may_post(post.author, post.from, now),
        };
        if let Err(refused) = allowed {
            post.ticket.answer(Err(refused));
            return self.settled(ctx);
        }
        let event = NewEvent {
            id: EventId(ids::at(now)),
            room: self.id(),
            kind: post.kind,
            author: post.author,
            sender: post.sender,
            nick_name: post.nick_name,
            content: post.content,
            raw: post.raw,
            target: post.target,
            client_id: post.client_id,
            created_at: now,
        };
        let Admission { held, writer } = post.admission;
        let may_moderate = post.record.is_some()
            || event.author.user().is_some_and(|user| self.state.moderates(user));
        let in_flight = InFlight {
            event: event.clone(),
            from: post.from,
            record: post.record.clone(),
            ticket: post.ticket,
            held,
        };
        self.in_flight.insert(event.id, in_flight);
        self.store.writer().append(Append {
            event,
            may_moderate,
            record: post.record,
            member_rev: self.state.row().member_rev,
            permit: writer,
            reply: ctx.address().recipient(),
        });
    }

    fn outcome(&mut self, id: EventId, outcome: Outcome, ctx: &mut Context<Self>) {
        let Some(in_flight) = self.in_flight.remove(&id) else { return };
        if matches!(outcome, Outcome::Fenced) {
            return self.fenced.push(in_flight);
        }
        let InFlight { event, ticket, held, .. } = in_flight;
        match outcome {
            Outcome::Stored(seq) => {
                let event = Arc::new(event.stored_at(seq));
                ticket.answer(Ok(Posted { event: Arc::clone(&event), duplicate: false }));
                self.stored.add(clock::now(), 1);
                self.activity.stored(event.kind);
                self.tell_nodes(Hint::Event(Arc::clone(&event)));
                self.arrived(event, Some(held), ctx);
            }
            Outcome::Duplicate(first) => {
                ticket.answer(Ok(Posted { event: Arc::new(*first), duplicate: true }));
            }
            Outcome::Unchanged(seq) => {
                let event = Arc::new(event.stored_at(seq));
                ticket.answer(Ok(Posted { event, duplicate: true }));
            }
            Outcome::NoTarget => ticket.answer(Err(Refused::NotFound)),
            Outcome::NotAllowed => ticket.answer(Err(Refused::Forbidden)),
            Outcome::Closed => {
                ticket.answer(Err(Refused::NotFound));
                self.is_closed();
            }
            Outcome::Fenced | Outcome::Unknown => ticket.answer(Err(Refused::UnknownOutcome)),
            Outcome::Failed(why) => {
                log::error!("room {}: an event could not be stored: {why}", self.id());
                ticket.answer(Err(Refused::Internal));
            }
        }
    }

    /// The database has this event: deliver it in its turn, once.
    pub(super) fn arrived(
        &mut self,
        event: Arc<Event>,
        held: Option<Held>,
        ctx: &mut Context<Self>,
    ) {
        match self.state.place(event.seq) {
            Advance::Old => {}
            Advance::Next => {
                self.deliver(&event, held);
                self.follow(&event, ctx);
            }
            // What is left out here is read: the database has it.
            Advance::Gap if held.is_none() && self.ahead.len() >= AHEAD => {}
            Advance::Gap => self.ahead.push((event, held)),
        }
    }

    fn deliver(&mut self, event: &Arc<Event>, held: Option<Held>) {
        let now = clock::now();
        self.state.advance(event, now);
        self.activity.note(event);
        self.trim_window();
        let state = &self.state;
        let said = Said::encode(|d| state.speaks(d), |dialect| dialect.say(event, state.words()));
        self.state.owe(&said, None);
        let held = held.map(Arc::new);
        self.to_shards(|| {
            Step::Deliver(Broadcast {
                seq: event.seq,
                said: said.clone(),
                committed_at: now,
                held: held.clone(),
            })
        });
    }

    /// Compares the room's head with the database by reading on from there.
    pub(super) fn check_position(&mut self, ctx: &mut Context<Self>) {
        if !self.filling {
            self.read_on(ctx);
        }
    }

    /// Reads what lies between the room's head and the events that wait ahead of it.
    pub(super) fn fill_gap(&mut self, ctx: &mut Context<Self>) {
        if !self.filling && !self.ahead.is_empty() {
            self.read_on(ctx);
        }
    }

    fn read_on(&mut self, ctx: &mut Context<Self>) {
        self.filling = true;
        let (store, room, head) = (self.store.clone(), self.id(), self.state.head());
        let waited = self.ahead.len();
        let reading = async move {
            // Asked first: whatever it counts is read then, or is no longer kept.
            let last = store.room(room).await?.map_or(head, |row| row.last_seq);
            let events = store.events_after(room, head, GAP_EVENTS, GAP_BYTES).await?;
            Ok((last, events))
        };
        ctx.spawn(
            reading.into_actor(self).map(move |read, room, ctx| room.gap_read(read, waited, ctx)),
        );
    }

    /// What was read; so many of the events ahead waited already when the reading began.
    fn gap_read(
        &mut self,
        read: Result<(i64, Vec<Event>), StoreError>,
        waited: usize,
        ctx: &mut Context<Self>,
    ) {
        let (last, events) = match read {
            Ok(read) => read,
            Err(error) => {
                log::error!(
                    "room {}: a gap could not be read, again in a second: {error}",
                    self.id()
                );
                // Until then no hint reads it either: each would begin a series of its own.
                ctx.run_later(std::time::Duration::from_secs(1), |room, ctx| {
                    room.filling = false;
                    room.check_position(ctx);
                });
                return;
            }
        };
        self.filling = false;
        // A page may end by its rows or by its bytes: only an empty one is the last.
        let is_last = events.is_empty();
        self.skip_to(events.first().map_or(last, |first| first.seq - 1));
        for event in events {
            self.arrived(Arc::new(event), None, ctx);
        }
        let ahead = std::mem::take(&mut self.ahead);
        let mut ahead: Vec<_> = ahead.into_iter().enumerate().collect();
        ahead.sort_by_key(|(_, (event, _))| event.seq);
        for (place, (event, held)) in ahead {
            // It was said before the database was asked, which does not have it.
            let is_wrong = is_last && place < waited && held.is_none();
            if is_wrong && self.state.place(event.seq) == Advance::Gap {
                log::warn!("room {}: {} is not in the database: ignored", self.id(), event.seq);
            } else {
                self.arrived(event, held, ctx);
            }
        }
        if is_last {
            self.compared(ctx);
            self.fill_gap(ctx);
        } else {
            self.check_position(ctx);
        }
        self.settled(ctx);
    }
}

impl Room {
    /// What the database holds no more, up to here, is waited for no longer: the order goes on
    /// behind it, and so does the window, which has no holes.
    fn skip_to(&mut self, seq: i64) {
        let head = self.state.head();
        if seq > head {
            log::warn!("room {}: what came after {head}, up to {seq}, is past keeping", self.id());
            self.state.head = seq;
            let windows = Arc::clone(&self.windows);
            let window = Window::new(self.id(), seq, self.settings.window_events, windows);
            self.state.window = window;
        }
    }
}

impl Handler<Committed> for Room {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        for (id, outcome) in committed.outcomes {
            self.outcome(id, outcome, ctx);
        }
        // All that was checked against the old members comes back before anything goes out anew.
        if !self.fenced.is_empty() && self.in_flight.is_empty() {
            self.reload(ctx);
        }
        self.fill_gap(ctx);
        self.settled(ctx);
    }
}
