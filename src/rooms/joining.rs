//! A socket's way into a room and out of it: what it gets first, its seat, and what the room owes
//! the Shards, the counts and the registry when it comes and goes. Part of the room's actor.

use std::sync::Arc;

use actix::prelude::*;

use crate::domain::{Event, SessionId, clock};
use crate::protocol::dialect::OPENING_MESSAGES;
use crate::protocol::{CloseCode, Dialect, Frame, Opening, close};
use crate::store::StoreError;

use super::fanout::ShardHandle;
use super::group::Step;
use super::room::Room;
use super::seat::Seat;
use super::state::RoomState;

/// A socket wants in. When it is dropped on the way (the room died), its socket is closed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Join {
    seat: Arc<Seat>,
    opening: Opening,
    unkept: Option<ShardHandle>,
}

impl Join {
    /// A socket of this worker's `shard`.
    #[must_use]
    pub const fn new(seat: Arc<Seat>, opening: Opening, shard: ShardHandle) -> Self {
        Self { seat, opening, unkept: Some(shard) }
    }

    fn keep(mut self) -> Arc<Seat> {
        self.unkept = None;
        Arc::clone(&self.seat)
    }

    fn refuse(mut self, code: CloseCode) {
        if let Some(shard) = self.unkept.take() {
            shard.close(self.seat.slot, code);
        }
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        if let Some(shard) = self.unkept.take() {
            shard.close(self.seat.slot, close::SERVER_FAULT);
        }
    }
}

impl Handler<Join> for Room {
    type Result = ();

    fn handle(&mut self, join: Join, ctx: &mut Self::Context) {
        self.note_forwarded();
        match self.state.may_enter(join.seat.who) {
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
    /// A socket's way out, whoever wants it.
    pub(super) fn remove(
        &mut self,
        session: SessionId,
        code: Option<CloseCode>,
        ctx: &mut Context<Self>,
    ) {
        // Whoever is still waiting for his first frames goes without a word.
        self.opening
            .retain_mut(|join| join.seat.session != session || join.unkept.take().is_none());
        let Some(seat) = self.state.leave(session) else { return self.retire_later(ctx) };
        self.to_shard(&seat, Step::Detach(session, code));
        if let Some(user) = seat.user() {
            self.online.went(user, clock::now());
        }
        self.count();
        self.retire_later(ctx);
    }

    /// Attaches a socket: what it gets first and live frames take the same way, so that nothing
    /// falls between them.
    fn attach(&mut self, join: Join, ctx: &mut Context<Self>) {
        let frames = match join.opening {
            Opening::Nothing => Vec::new(),
            Opening::History | Opening::Frames => {
                let Some(latest) = self.state.window.latest_messages(OPENING_MESSAGES) else {
                    self.read_opening(ctx);
                    self.opening.push(join);
                    return;
                };
                opening_frames(join.opening, join.seat.dialect, &latest, &self.state)
            }
        };
        let seat = join.keep();
        self.to_shard(&seat, Step::Attach(Arc::clone(&seat), frames, self.state.head()));
        if let Some(card) = &seat.card {
            self.online.came(card, seat.since);
        }
        self.state.join(seat);
        self.count();
    }

    /// Reads the latest messages once, for all who wait for them.
    fn read_opening(&mut self, ctx: &mut Context<Self>) {
        if !self.opening.is_empty() {
            return;
        }
        let (store, room, head) = (self.store.clone(), self.id(), self.state.head());
        let reading = async move { store.latest_messages(room, OPENING_MESSAGES as u64).await };
        ctx.spawn(
            reading.into_actor(self).map(move |read, room, ctx| room.opening_read(read, head, ctx)),
        );
    }

    fn opening_read(
        &mut self,
        read: Result<Vec<Event>, StoreError>,
        head: i64,
        ctx: &mut Context<Self>,
    ) {
        let waiting = std::mem::take(&mut self.opening);
        let (latest, is_all) = match read {
            // The database may be ahead of what was delivered: that part comes live.
            Ok(messages) => {
                let is_all = messages.len() < OPENING_MESSAGES;
                let known = messages.into_iter().filter(|message| message.seq <= head);
                (known.collect::<Vec<_>>(), is_all)
            }
            Err(error) => {
                log::error!("room {}: its latest messages could not be read: {error}", self.id());
                // Dropped, each closes its socket, which comes again.
                drop(waiting);
                self.state.window.trim();
                return self.retire_later(ctx);
            }
        };
        self.state.window.fill(latest, head, is_all);
        for join in waiting {
            // He may have been removed, or the room closed, while he waited.
            match self.state.may_enter(join.seat.who) {
                Ok(()) => self.attach(join, ctx),
                Err(code) => join.refuse(code),
            }
        }
        if self.opening.is_empty() {
            self.state.window.trim();
        }
        self.retire_later(ctx);
    }
}

fn opening_frames(
    opening: Opening,
    dialect: Dialect,
    latest: &[Arc<Event>],
    state: &RoomState,
) -> Vec<Frame> {
    match opening {
        Opening::Nothing => Vec::new(),
        Opening::History => vec![dialect.history(latest.iter().map(Arc::as_ref))],
        Opening::Frames => {
            latest.iter().filter_map(|event| dialect.say_again(event, state.words())).collect()
        }
    }
}
