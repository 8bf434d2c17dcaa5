//! The Writer: group commit. While one commit runs, what comes in gathers, and the next takes it;
//! nothing ever waits in order to be batched. Called by rooms. Must be the only one who appends
//! events or changes members after a room is made.

mod acts;
mod banning;
mod batch;
mod change;
mod figures;
mod heads;
mod inbox;
mod lane;
mod ledger;
mod plan;
mod postgres;
mod reach;
mod short_way;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use actix::prelude::*;
use sea_orm::DatabaseConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::{
    Author, Ban, Deed, Event, EventId, NewEvent, Record, Role, RoomId, Subject, Timestamp, UserId,
};
use figures::Counters;
pub use figures::WriterFigures;
use inbox::{Handed, Inbox, Work};
use lane::{Drain, GoOn, Lane};
use short_way::ShortWay;

/// One event to store.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Append {
    /// What.
    pub event: NewEvent,
    /// The `member_rev` that the room checked against; the store compares.
    pub member_rev: i64,
    /// Whether the author may take away what others wrote.
    pub may_moderate: bool,
    /// Of an admin's act: what is recorded of it, in the same transaction, when it is stored.
    pub record: Option<Box<Record>>,
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
    /// Of an act: no message of the room's is there any more to do it to.
    NoTarget,
    /// Of an act: not for its author to do.
    NotAllowed,
    /// Of an act: it is so already, and nothing was stored; the room's newest `seq`.
    Unchanged(i64),
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
    /// What it was allowed by.
    pub roles: CheckedRoles,
    /// Of an admin's act: it is recorded in the same transaction.
    pub deed: Option<Deed>,
    /// As for `Append`.
    pub permit: WriterPermit,
    /// Who is told.
    pub reply: Recipient<MembersChanged>,
}

/// The roles that a change of members was checked against; bans are no matter of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckedRoles {
    /// Of who wants it. When he has a lower one by now, nothing is changed.
    pub by: Option<Role>,
    /// Of whose membership it is. When he has a higher one by now, he is not removed.
    pub subject: Option<Role>,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// A member joins by himself (`action: joined`) or is added (`added`); nothing when there.
    Add(UserId),
    /// Leaves (`left`) or is removed (`removed`); nothing when not there. An owner's place goes to
    /// the longest member.
    Remove(UserId),
    /// May not be here until then. A member of an invited room or a group is removed by it
    /// (`action: banned`); the two of a private chat stay its members.
    Ban(Ban),
    /// May be here again; who was a member does not become one by it.
    Unban(Subject),
}

/// The answer to a `ChangeMembers`.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct MembersChanged {
    /// Where.
    pub room: RoomId,
    /// The event's id, as asked.
    pub id: EventId,
    /// `Missing("room")` when it is closed or gone, `Missing("user")`; `Banned` of somebody who
    /// would be added; `Fenced` when the roles are other ones by now: check again; `Busy` when the
    /// database did not answer within the limit, and the change may or may not be made: ask again,
    /// it is made once.
    pub result: Result<Changed, super::StoreError>,
}

/// After a change of members.
#[derive(Debug)]
pub struct Changed {
    /// None: no membership changed.
    pub event: Option<Event>,
    /// The owner went, and this one has his place: the event behind that one.
    pub promoted: Option<Event>,
    /// Now.
    pub member_rev: i64,
    /// Now.
    pub members: Vec<(UserId, Role)>,
    /// In force now.
    pub bans: Vec<Ban>,
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
    lanes: Vec<LaneHandle>,
    places: Arc<Semaphore>,
    max_waiting: usize,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct LaneHandle {
    inbox: Arc<Inbox>,
    actor: Addr<Lane>,
    thread: ArbiterHandle,
}

impl Writer {
    /// One lane, on a thread of its own, for each connection. Of a database that is a file: which, and
    /// the line of all who write to it.
    pub(super) fn start(
        lanes: Vec<DatabaseConnection>,
        file: Option<(&Path, &Arc<Semaphore>)>,
        settings: WriterSettings,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let max_waiting = settings.max_waiting.clamp(1, Semaphore::MAX_PERMITS);
        let lanes = lanes
            .into_iter()
            .map(|db| {
                let thread = Arbiter::new().handle();
                let inbox = Arc::new(Inbox::default());
                let (takes, counts) = (Arc::clone(&inbox), Arc::clone(&counters));
                let short = file.map(|(file, line)| {
                    let others = db.get_sqlite_connection_pool().clone();
                    ShortWay::new(file.to_owned(), Arc::clone(line), others)
                });
                let actor = Lane::start_in_arbiter(&thread, move |_| {
                    Lane::new(db, settings.max_batch.max(1), takes, counts, short)
                });
                LaneHandle { inbox, actor, thread }
            })
            .collect();
        let places = Arc::new(Semaphore::new(max_waiting));
        Self { inner: Arc::new(Inner { lanes, places, max_waiting, counters }) }
    }

    /// A place in the queue now, or none: `busy`. There is none while the database is away.
    #[must_use]
    pub fn try_permit(&self) -> Option<WriterPermit> {
        if self.inner.counters.reach.is_away() {
            return None;
        }
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
    pub fn append(&self, append: Append) {
        let room = append.event.room;
        self.hand_over(room, Work::post(append));
    }

    /// In order with the room's appends.
    pub fn change_members(&self, change: ChangeMembers) {
        self.hand_over(change.room, Work::Change(change));
    }

    #[expect(clippy::disallowed_methods, reason = "one message each time that the lane rests")]
    fn hand_over(&self, room: RoomId, work: Work) {
        let lane = self.lane(room);
        match lane.inbox.hand_over(work) {
            Handed::Gathers => {}
            Handed::Wake => lane.actor.do_send(GoOn),
            Handed::Refused(work) => match *work {
                Work::Post(waiting) => {
                    let Append { event, reply, .. } = waiting.append;
                    let failed = Outcome::Failed("the server is stopping".into());
                    reply.do_send(Committed { room, outcomes: vec![(event.id, failed)] });
                }
                Work::Change(ChangeMembers { id, reply, .. }) => {
                    let result = Err(super::StoreError::Busy);
                    reply.do_send(MembersChanged { room, id, result });
                }
            },
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
        for lane in &self.inner.lanes {
            // An error means that it has ended already.
            if lane.actor.send(Drain).await.is_ok() {
                lane.thread.stop();
            }
        }
    }

    /// The same room always has the same lane.
    fn lane(&self, room: RoomId) -> &LaneHandle {
        let lanes = &self.inner.lanes;
        // The last bits of an id are random, and 32 of them are enough to spread rooms.
        let bits = u32::from_be_bytes(room.0.as_bytes()[12..].try_into().unwrap_or_default());
        &lanes[bits as usize % lanes.len()]
    }
}
