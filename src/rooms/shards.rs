//! The ways to the Shards, for rooms, sessions and figures: what can be asked of each, and which
//! one is whose. What a Shard does with it stands in `fanout.rs`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::prelude::*;

use crate::config::SessionSettings;
use crate::domain::figures::Ledger;
use crate::domain::{LoginId, Posted, RoomId, Timestamp, UserId};
use crate::protocol::CloseCode;

use super::Refused;
use super::fanout::Shard;
use super::figures::GroupFigures;
use super::gauge::Online;
use super::outlet::Slot;
use super::seat::Seat;
use super::stays::Visit;
use super::step::Step;

/// How others reach a Shard.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    /// Its worker.
    pub worker: usize,
    pub(super) addr: Addr<Shard>,
    /// Where rooms for its sockets are started.
    pub arbiter: ArbiterHandle,
}

impl ShardHandle {
    /// Puts a step at the end of a room's queue on this worker.
    #[expect(clippy::disallowed_methods, reason = "steps are bounded by sessions and permits")]
    pub fn step(&self, room: RoomId, step: Step) {
        self.addr.do_send(Steps { room, step });
    }

    /// Answers one of a socket's own posts.
    #[expect(clippy::disallowed_methods, reason = "one a post, and posts hold permits")]
    pub fn settle(&self, slot: Slot, tag: u64, outcome: Result<Posted, Refused>) {
        self.addr.do_send(Settle { slot, tag, outcome });
    }

    /// Tells one socket that it has no seat in this room.
    #[expect(clippy::disallowed_methods, reason = "one a join")]
    pub fn part(&self, slot: Slot, room: RoomId, code: CloseCode) {
        self.addr.do_send(Part { slot, room, code });
    }

    /// Closes every socket that `whose` fits; with none, all of them.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub fn close_where(&self, whose: Whose, code: CloseCode) {
        self.addr.do_send(CloseWhere { whose, code });
    }

    /// What was done to this user's account is taken back: his new sockets are let in.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub fn pardon(&self, user: UserId) {
        self.addr.do_send(Pardon(user));
    }

    /// The sockets of a room on this worker, and the `seq` they have got to.
    pub async fn roster(&self, room: RoomId) -> (Vec<Arc<Seat>>, i64) {
        self.addr.send(Roster(room)).await.unwrap_or_default()
    }

    /// What the groups of all rooms on this worker did, and the accounts of rooms that are gone.
    pub async fn survey(&self) -> (HashMap<RoomId, GroupFigures>, Ledger) {
        self.addr.send(Survey).await.unwrap_or_default()
    }

    /// What a room's group did here, and what these sockets of it look like.
    pub async fn look(&self, room: RoomId, seats: Vec<Arc<Seat>>) -> (GroupFigures, Vec<Looked>) {
        self.addr.send(Look { room, seats }).await.unwrap_or_default()
    }

    /// A user's stays in a room on this worker, and since when all are known. None: it is gone.
    pub async fn visits(&self, room: RoomId, user: UserId) -> Option<(Timestamp, Vec<Visit>)> {
        self.addr.send(Visits { room, user }).await.ok().flatten()
    }
}

/// The Shards of all workers; a room asks for one by the worker's number.
#[derive(Clone, Debug, Default)]
pub struct Shards(Arc<RwLock<Vec<Arc<ShardHandle>>>>);

thread_local! {
    static HERE: RefCell<Option<Arc<ShardHandle>>> = const { RefCell::new(None) };
}

impl Shards {
    /// Starts the Shard of this thread's worker; once a worker.
    pub fn start_here(&self, limits: &SessionSettings, online: &Arc<Online>) {
        let mut shards = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let handle =
            Arc::new(Shard::start_on_this_worker(shards.len(), limits, Arc::clone(online)));
        shards.push(Arc::clone(&handle));
        HERE.set(Some(handle));
    }

    /// The Shard of this thread's worker.
    #[must_use]
    pub fn here() -> Option<Arc<ShardHandle>> {
        HERE.with_borrow(Clone::clone)
    }

    /// The Shard of a worker.
    #[must_use]
    pub fn of(&self, worker: usize) -> Option<Arc<ShardHandle>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(worker).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ShardHandle>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Which sockets an act is about.
#[derive(Clone, Debug)]
pub enum Whose {
    /// Everybody's.
    All,
    /// Those that live by one of these logins.
    Logins(Arc<[LoginId]>),
    /// A user's.
    User(UserId),
}

impl Whose {
    /// Whether it is about a socket with this user and login behind it.
    #[must_use]
    pub fn fits(&self, user: Option<UserId>, login: Option<LoginId>) -> bool {
        match self {
            Self::All => true,
            Self::Logins(logins) => login.is_some_and(|login| logins.contains(&login)),
            Self::User(whose) => user == Some(*whose),
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Steps {
    pub(super) room: RoomId,
    pub(super) step: Step,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Settle {
    pub(super) slot: Slot,
    pub(super) tag: u64,
    pub(super) outcome: Result<Posted, Refused>,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Part {
    pub(super) slot: Slot,
    pub(super) room: RoomId,
    pub(super) code: CloseCode,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CloseWhere {
    pub(super) whose: Whose,
    pub(super) code: CloseCode,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Pardon(pub(super) UserId);

#[derive(Message)]
#[rtype(result = "(Vec<Arc<Seat>>, i64)")]
pub(super) struct Roster(pub(super) RoomId);

/// What a socket looks like from its worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looked {
    /// Bytes that wait for it.
    pub queued_bytes: u64,
    /// Since it was last heard.
    pub quiet_for: Duration,
    /// What became of the room's frames for it.
    pub ledger: Ledger,
}

#[derive(Message)]
#[rtype(result = "(HashMap<RoomId, GroupFigures>, Ledger)")]
pub(super) struct Survey;

#[derive(Message)]
#[rtype(result = "(GroupFigures, Vec<Looked>)")]
pub(super) struct Look {
    pub(super) room: RoomId,
    pub(super) seats: Vec<Arc<Seat>>,
}

#[derive(Message)]
#[rtype(result = "Option<(Timestamp, Vec<Visit>)>")]
pub(super) struct Visits {
    pub(super) room: RoomId,
    pub(super) user: UserId,
}
