//! A room's way from a post to everybody's socket: check, hand to the Writer, and, once stored,
//! answer and deliver in the order of the database. DESIGN, *One message, forward only*.

use std::sync::Arc;

use actix::prelude::*;

use crate::domain::{
    Author, Event, EventId, EventKind, NewEvent, Posted, RoomRow, Timestamp, UserCard, UserId,
    clock, ids,
};
use crate::protocol::close;
use crate::store::writer::WriterPermit;
use crate::store::{
    Append, ChangeMembers, Committed, MemberChange, MemberRow, MembersChanged, Outcome, StoreError,
};

use super::Refused;
use super::admission::{Admission, Held};
use super::group::{Broadcast, Said, Step};
use super::room::{Changing, InFlight, Room, roles};
use super::state::Advance;
use super::ticket::Ticket;

/// Events read at a time to fill a gap.
const GAP_EVENTS: u64 = 500;
/// Bytes of text read at a time to fill a gap.
const GAP_BYTES: usize = 256 * 1_024;

/// A message on its way into the room. It always comes with all that it must hold, so that the
/// room never has to turn it away for lack of space.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Post {
    /// By whom.
    pub author: Author,
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

    fn release(&mut self, ctx: &mut Context<Self>) {
        if !self.must_hold_back() {
            for post in std::mem::take(&mut self.held_back) {
                self.take(post, ctx);
            }
        }
    }

    fn take(&mut self, post: Post, ctx: &mut Context<Self>) {
        if let Err(refused) = self.state.may_post(post.author) {
            post.ticket.answer(Err(refused));
            return self.settled(ctx);
        }
        let now = clock::now();
        let event = NewEvent {
            id: EventId(ids::at(now)),
            room: self.id(),
            kind: EventKind::Message,
            author: post.author,
            sender: post.sender,
            nick_name: post.nick_name,
            content: post.content,
            raw: post.raw,
            target: None,
            client_id: post.client_id,
            created_at: now,
        };
        let Admission { held, writer } = post.admission;
        self.in_flight
            .insert(event.id, InFlight { event: event.clone(), ticket: post.ticket, held });
        self.store.writer().append(Append {
            event,
            member_rev: self.state.row().member_rev,
            permit: writer,
            reply: ctx.address().recipient(),
        });
    }

    fn outcome(&mut self, id: EventId, outcome: Outcome) {
        let Some(InFlight { event, ticket, held }) = self.in_flight.remove(&id) else { return };
        match outcome {
            Outcome::Stored(seq) => {
                let event = Arc::new(event.stored_at(seq));
                ticket.answer(Ok(Posted { event: Arc::clone(&event), duplicate: false }));
                self.arrived(event, Some(held));
            }
            Outcome::Duplicate(first) => {
                ticket.answer(Ok(Posted { event: Arc::new(*first), duplicate: true }));
            }
            Outcome::Fenced => self.fenced.push(InFlight { event, ticket, held }),
            Outcome::Closed => {
                ticket.answer(Err(Refused::NotFound));
                self.close_for_good(close::ROOM_CLOSED);
            }
            Outcome::Unknown => ticket.answer(Err(Refused::UnknownOutcome)),
            Outcome::Failed(why) => {
                log::error!("room {}: an event could not be stored: {why}", self.id());
                ticket.answer(Err(Refused::Internal));
            }
        }
    }

    /// The database has this event: deliver it in its turn, once.
    pub(super) fn arrived(&mut self, event: Arc<Event>, held: Option<Held>) {
        match self.state.place(event.seq) {
            Advance::Old => {}
            Advance::Next => self.deliver(&event, held),
            Advance::Gap => self.ahead.push((event, held)),
        }
    }

    fn deliver(&mut self, event: &Arc<Event>, held: Option<Held>) {
        let now = clock::now();
        self.state.advance(event, now);
        if self.opening.is_empty() {
            self.state.window.trim();
        }
        let state = &self.state;
        let said = Said::encode(|d| state.speaks(d), |dialect| dialect.say(event, state.words()));
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
        let reading = async move { store.events_after(room, head, GAP_EVENTS, GAP_BYTES).await };
        ctx.spawn(reading.into_actor(self).map(|read, room, ctx| room.gap_read(read, ctx)));
    }

    fn gap_read(&mut self, read: Result<Vec<Event>, StoreError>, ctx: &mut Context<Self>) {
        self.filling = false;
        let events = match read {
            Ok(events) => events,
            Err(error) => {
                log::error!(
                    "room {}: a gap could not be read, again in a second: {error}",
                    self.id()
                );
                ctx.run_later(std::time::Duration::from_secs(1), Self::fill_gap);
                return;
            }
        };
        // A page may end by its rows or by its bytes: only an empty one is the last.
        let is_last = events.is_empty();
        for event in events {
            self.arrived(Arc::new(event), None);
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.sort_by_key(|(event, _)| event.seq);
        for (event, held) in ahead {
            self.arrived(event, held);
        }
        if is_last {
            self.fill_gap(ctx);
        } else {
            self.check_position(ctx);
        }
        self.settled(ctx);
    }

    /// Reads the room's row and members anew, then goes on with what came back and what waits. Each
    /// post that came back gets a new place with the Writer; its turn for one comes.
    pub(super) fn reload(&mut self, ctx: &mut Context<Self>) {
        if self.reloading {
            self.reload_again = true;
            return;
        }
        self.reloading = true;
        let (store, room, places) = (self.store.clone(), self.id(), self.fenced.len());
        let reading = async move {
            let row = store.room(room).await?;
            let members = store.members(room).await?;
            let mut permits = Vec::with_capacity(places);
            for _ in 0..places {
                permits.push(store.writer().permit().await);
            }
            Ok((row, members, permits))
        };
        ctx.spawn(reading.into_actor(self).map(|read, room, ctx| room.reloaded(read, ctx)));
    }

    fn reloaded(&mut self, read: Result<Rows, StoreError>, ctx: &mut Context<Self>) {
        self.reloading = false;
        match read {
            Ok((Some(row), members, mut permits)) => {
                self.state.reload(row, roles(&members));
                let with_place = self.fenced.len().min(permits.len());
                for (back, writer) in
                    self.fenced.drain(..with_place).zip(permits.drain(..)).collect::<Vec<_>>()
                {
                    self.take_again(back, writer, ctx);
                }
            }
            Ok((None, ..)) => {
                self.close_for_good(close::ROOM_CLOSED);
                self.fenced.drain(..).for_each(|back| back.ticket.answer(Err(Refused::NotFound)));
            }
            Err(error) => {
                log::error!("room {}: its row could not be read: {error}", self.id());
                self.fenced.drain(..).for_each(|back| back.ticket.answer(Err(Refused::Busy)));
            }
        }
        if std::mem::take(&mut self.reload_again) || !self.fenced.is_empty() {
            self.reload(ctx);
        }
        self.release(ctx);
        self.settled(ctx);
    }

    /// A post that the fence sent back, against the members as they are now.
    fn take_again(&mut self, back: InFlight, writer: WriterPermit, ctx: &mut Context<Self>) {
        let InFlight { event, ticket, held } = back;
        self.take(
            Post {
                author: event.author,
                sender: event.sender,
                content: event.content,
                nick_name: event.nick_name,
                raw: event.raw,
                client_id: event.client_id,
                admission: Admission { held, writer },
                ticket,
                forwarded: false,
            },
            ctx,
        );
    }
}

/// A room's rows, and places with the Writer for what came back.
type Rows = (Option<RoomRow>, Vec<MemberRow>, Vec<WriterPermit>);

impl Handler<Committed> for Room {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        for (id, outcome) in committed.outcomes {
            self.outcome(id, outcome);
        }
        // All that was checked against the old members comes back before anything goes out anew.
        if !self.fenced.is_empty() && self.in_flight.is_empty() {
            self.reload(ctx);
        }
        self.fill_gap(ctx);
        self.settled(ctx);
    }
}

/// The room's row changed: read it anew.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reload;

impl Handler<Reload> for Room {
    type Result = ();

    fn handle(&mut self, _: Reload, ctx: &mut Self::Context) {
        self.note_forwarded();
        self.reload(ctx);
        self.settled(ctx);
    }
}

/// Somebody adds, removes, joins or leaves.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ChangeMember {
    /// Who wants it.
    pub by: UserId,
    /// What.
    pub change: MemberChange,
    /// Its places in the room and with the Writer.
    pub admission: Admission,
    /// Where the answer goes.
    pub answer: tokio::sync::oneshot::Sender<Result<(), Refused>>,
}

impl Handler<ChangeMember> for Room {
    type Result = ();

    fn handle(&mut self, asked: ChangeMember, ctx: &mut Self::Context) {
        self.note_forwarded();
        let (subject, adds) = match asked.change {
            MemberChange::Add(user) => (user, true),
            MemberChange::Remove(user) => (user, false),
        };
        let allowed = self.state.may_change(asked.by, subject, adds).and_then(|()| {
            let is_full = adds
                && self.state.role(subject).is_none()
                && self.state.member_count() >= self.settings.max_members;
            if is_full {
                Err(Refused::Invalid("This group has as many members as it may."))
            } else {
                Ok(())
            }
        });
        if let Err(refused) = allowed {
            // Who asked may be gone; then nobody wants the answer.
            let _ = asked.answer.send(Err(refused));
            return self.settled(ctx);
        }
        let at: Timestamp = clock::now();
        let id = EventId(ids::at(at));
        let Admission { held, writer } = asked.admission;
        let removes = (!adds).then_some(subject);
        self.changing.insert(id, Changing { answer: asked.answer, removes, _held: held });
        self.store.writer().change_members(ChangeMembers {
            room: self.id(),
            change: asked.change,
            id,
            at,
            by: Author::User(asked.by),
            permit: writer,
            reply: ctx.address().recipient(),
        });
    }
}

impl Handler<MembersChanged> for Room {
    type Result = ();

    fn handle(&mut self, done: MembersChanged, ctx: &mut Self::Context) {
        let Some(asked) = self.changing.remove(&done.id) else { return };
        let answer = match done.result {
            Ok(changed) => {
                self.members_changed(changed);
                if let Some(removed) = asked.removes {
                    for session in self.state.sessions_of(removed) {
                        self.remove(session, Some(close::REMOVED), ctx);
                    }
                }
                Ok(())
            }
            Err(StoreError::Missing(_)) => Err(Refused::NotFound),
            Err(StoreError::Busy) => Err(Refused::Busy),
            Err(error) => {
                log::error!("room {}: its members could not be changed: {error}", self.id());
                Err(Refused::Internal)
            }
        };
        let _ = asked.answer.send(answer);
        self.release(ctx);
        self.fill_gap(ctx);
        self.settled(ctx);
    }
}
