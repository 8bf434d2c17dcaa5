//! The Writer: group commit. See DESIGN, *One message*, step 3.

use actix::prelude::*;

use crate::domain::{Author, Event, EventId, NewEvent, Role, RoomId, Timestamp, UserId};

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
    /// The database answered neither yes nor no within the limit; the same `client_id` may be sent again.
    Unknown,
    /// Not stored.
    Failed(std::sync::Arc<str>),
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
    /// Leaves (`left`) or is removed (`removed`); nothing when not there. An owner's place goes to the longest member.
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
    /// The stored event (none: nothing changed), the new `member_rev` and the members now.
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
pub struct WriterPermit(#[allow(unused)] tokio::sync::OwnedSemaphorePermit);

/// The Writer's lanes and their bound.
#[derive(Clone, Debug)]
pub struct Writer {
    _p: (),
}

#[allow(missing_docs, clippy::all, clippy::pedantic, unused)]
impl Writer {
    /// A place in the queue now, or none: `busy`.
    pub fn try_permit(&self) -> Option<WriterPermit> {
        todo!()
    }
    /// A place in the queue, waiting for it in turn.
    pub async fn permit(&self) -> WriterPermit {
        todo!()
    }
    /// Hands over; order is kept for each room. Never blocks.
    pub fn append(&self, append: Append) {
        todo!()
    }
    /// In order with the room's appends.
    pub fn change_members(&self, change: ChangeMembers) {
        todo!()
    }
}
