//! The Writer: group commit. While one commit runs, what comes in gathers, and the next takes it;
//! nothing ever waits in order to be batched. Called by rooms. Must be the only one who appends
//! events or changes members after a room is made.

mod batch;
mod change;
mod figures;
mod lane;
mod ledger;
mod plan;
mod postgres;
mod sqlite;

use std::sync::{Arc, PoisonError, RwLock};

use actix::prelude::*;
use sea_orm::DatabaseConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::{Author, Event, EventId, NewEvent, Role, RoomId, Timestamp, UserId};
use figures::Counters;
pub use figures::WriterFigures;
use lane::{Drain, Lane};

/// One event to store.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Append {
    /// What.
    pub event: NewEvent,
    /// The `member_rev` that the room checked against; the store compares.
    pub member_rev: i64,
    /// A place in the Writer's queue, from [`Writer::permit`]; given back when it is answered.
    pub permit: WriterPermit,
    /// Who is told.
    pub reply: Recipient<Committed>,
}

/// Answers, one message a room a commit, in the order of the room's `Append`s.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Committed {
    /// The room.
    pub room: RoomId,
    /// What became of each.
    pub outcomes: Vec<(EventId, Outcome)>,
}

/// What became of an `Append`.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Stored, with this `seq`.
    Stored(i64),
    /// The same `client_id` by the same author was stored before: the first one.
    Duplicate(Box<Event>),
    /// `member_rev` differs: reload and check again.
    Fenced,
    /// The room is closed or gone.
    Closed,
    /// The database answered neither yes nor no within the limit; the same `client_id` may be sent
    /// again.
    Unknown,
    /// Not stored.
    Failed(Arc<str>),
}

/// A change of members, in one transaction with its event and `member_rev + 1`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ChangeMembers {
    /// Where.
    pub room: RoomId,
    /// What.
    pub change: MemberChange,
    /// The event's id and time.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Whose act.
    pub by: Author,
    /// As for `Append`.
    pub permit: WriterPermit,
    /// Who is told.
    pub reply: Recipient<MembersChanged>,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// A member joins by himself (`action: joined`) or is added (`added`); nothing when there.
    Add(UserId),
    /// Leaves (`left`) or is removed (`removed`); nothing when not there. An owner's place goes to
    /// the longest member.
    Remove(UserId),
}

/// The answer to a `ChangeMembers`.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct MembersChanged {
    /// Where.
    pub room: RoomId,
    /// The event's id, as asked.
    pub id: EventId,
    /// `Missing("room")` when it is closed or gone, `Missing("user")`; `Busy` when the database
    /// did not answer within the limit, and the change may or may not be made: ask again, it is
    /// made once.
    pub result: Result<Changed, super::StoreError>,
}

/// After a change of members.
#[derive(Debug)]
pub struct Changed {
    /// None: nothing changed.
    pub event: Option<Event>,
    /// Now.
    pub member_rev: i64,
    /// Now.
    pub members: Vec<(UserId, Role)>,
}

/// A place in the Writer's bounded queue.
#[derive(Debug)]
pub struct WriterPermit {
    _place: OwnedSemaphorePermit,
}

/// The bounds of the Writer.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriterSettings {
    /// Rows in one commit.
    pub max_batch: usize,
    /// Events that may wait.
    pub max_waiting: usize,
}

/// The Writer's lanes and their bound. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    lanes: Vec<(Addr<Lane>, ArbiterHandle)>,
    places: Arc<Semaphore>,
    max_waiting: usize,
    counters: Arc<Counters>,
    /// Whether the lanes take anything. Held for reading while something is handed over, so that
    /// all of it is before the end or refused.
    open: RwLock<bool>,
}

impl Writer {
    /// One lane, on a thread of its own, for each connection.
    pub(super) fn start(lanes: Vec<DatabaseConnection>, settings: WriterSettings) -> Self {
        let counters = Arc::new(Counters::default());
        let max_waiting = settings.max_waiting.clamp(1, Semaphore::MAX_PERMITS);
        let lanes = lanes
            .into_iter()
            .map(|db| {
                let arbiter = Arbiter::new().handle();
                let counters = Arc::clone(&counters);
                let lane = Lane::start_in_arbiter(&arbiter, move |ctx| {
                    ctx.set_mailbox_capacity(max_waiting);
                    Lane::new(db, settings.max_batch.max(1), counters)
                });
                (lane, arbiter)
            })
            .collect();
        let places = Arc::new(Semaphore::new(max_waiting));
        let open = RwLock::new(true);
        Self { inner: Arc::new(Inner { lanes, places, max_waiting, counters, open }) }
    }

    /// A place in the queue now, or none: `busy`.
    #[must_use]
    pub fn try_permit(&self) -> Option<WriterPermit> {
        let place = Arc::clone(&self.inner.places).try_acquire_owned().ok()?;
        Some(WriterPermit { _place: place })
    }

    /// A place in the queue, waiting for it in turn.
    ///
    /// # Panics
    /// Never: the semaphore is not closed before it is dropped.
    pub async fn permit(&self) -> WriterPermit {
        let place = Arc::clone(&self.inner.places).acquire_owned().await;
        WriterPermit { _place: place.expect("the semaphore is never closed") }
    }

    /// Hands over; order is kept for each room. Never blocks.
    #[expect(clippy::disallowed_methods, reason = "bounded by the permit in the message")]
    pub fn append(&self, append: Append) {
        let open = self.inner.open.read().unwrap_or_else(PoisonError::into_inner);
        if *open {
            self.lane(append.event.room).do_send(append);
        } else {
            let failed = Outcome::Failed("the server is stopping".into());
            append.reply.do_send(Committed {
                room: append.event.room,
                outcomes: vec![(append.event.id, failed)],
            });
        }
    }

    /// In order with the room's appends.
    #[expect(clippy::disallowed_methods, reason = "bounded by the permit in the message")]
    pub fn change_members(&self, change: ChangeMembers) {
        let open = self.inner.open.read().unwrap_or_else(PoisonError::into_inner);
        if *open {
            self.lane(change.room).do_send(change);
        } else {
            let result = Err(super::StoreError::Busy);
            change.reply.do_send(MembersChanged { room: change.room, id: change.id, result });
        }
    }

    /// What it did since it started.
    #[must_use]
    pub fn figures(&self) -> WriterFigures {
        let waiting = self.inner.max_waiting - self.inner.places.available_permits();
        self.inner.counters.snapshot(waiting as u64)
    }

    /// Stores and answers what was accepted, then ends its threads.
    pub(super) async fn close(&self) {
        *self.inner.open.write().unwrap_or_else(PoisonError::into_inner) = false;
        for (lane, arbiter) in &self.inner.lanes {
            // An error means that it has ended already.
            if lane.send(Drain).await.is_ok() {
                arbiter.stop();
            }
        }
    }

    /// The same room always has the same lane.
    fn lane(&self, room: RoomId) -> &Addr<Lane> {
        let lanes = &self.inner.lanes;
        // The last bits of an id are random, and 32 of them are enough to spread rooms.
        let bits = u32::from_be_bytes(room.0.as_bytes()[12..].try_into().unwrap_or_default());
        &lanes[bits as usize % lanes.len()].0
    }
}
