//! One Shard a worker: it writes to the worker's sockets, room by room, and decides which of them
//! are too slow or gone. Rooms send it steps; it never waits for a socket.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use actix::fut::ActorFuture;
use actix::prelude::*;

use crate::config::SessionSettings;
use crate::domain::{LoginId, Posted, RoomId, UserId};
use crate::protocol::{CloseCode, Frame, close};

use super::Refused;
use super::callers::Callers;
use super::gauge::Online;
use super::group::{Group, GroupFigures, Step};
use super::outlet::{self, Slot};
use super::patience::{Patience, Verdict};
use super::seat::Seat;

/// Sockets written to before the worker's other tasks get their turn: about a millisecond.
const TURN: usize = 256;
/// Messages from rooms that wait in the mailbox before a sender would have to; every sender here
/// is bounded by sessions or permits, so this only sizes the queue.
const MAILBOX: usize = 4_096;

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

    /// Closes one socket.
    #[expect(clippy::disallowed_methods, reason = "at most one a session")]
    pub fn close(&self, slot: Slot, code: CloseCode) {
        self.addr.do_send(CloseSlot { slot, code });
    }

    /// Closes every socket that `whose` fits; with none, all of them.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub fn close_where(&self, whose: Whose, code: CloseCode) {
        self.addr.do_send(CloseWhere { whose, code });
    }

    /// The sockets of a room on this worker, and the `seq` they have got to.
    pub async fn roster(&self, room: RoomId) -> (Vec<Arc<Seat>>, i64) {
        self.addr.send(Roster(room)).await.unwrap_or_default()
    }

    /// What the groups of all rooms on this worker did.
    pub async fn survey(&self) -> HashMap<RoomId, GroupFigures> {
        self.addr.send(Survey).await.unwrap_or_default()
    }

    /// What waits for each of these sockets, and how long ago it was last heard.
    pub async fn look(&self, slots: Vec<Slot>) -> Vec<(u64, Duration)> {
        self.addr.send(Look(slots)).await.unwrap_or_default()
    }
}

/// The Shards of all workers; a room asks for one by the worker's number.
#[derive(Clone, Debug, Default)]
pub struct Shards(Arc<RwLock<Vec<ShardHandle>>>);

thread_local! {
    static HERE: RefCell<Option<ShardHandle>> = const { RefCell::new(None) };
}

impl Shards {
    /// Starts the Shard of this thread's worker; once a worker.
    pub fn start_here(&self, limits: &SessionSettings, online: &Arc<Online>) {
        let mut shards = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let handle = Shard::start_on_this_worker(shards.len(), limits, Arc::clone(online));
        shards.push(handle.clone());
        HERE.set(Some(handle));
    }

    /// The Shard of this thread's worker.
    #[must_use]
    pub fn here() -> Option<ShardHandle> {
        HERE.with_borrow(Clone::clone)
    }

    /// The Shard of a worker.
    #[must_use]
    pub fn of(&self, worker: usize) -> Option<ShardHandle> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(worker).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<ShardHandle> {
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
struct Steps {
    room: RoomId,
    step: Step,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Settle {
    slot: Slot,
    tag: u64,
    outcome: Result<Posted, Refused>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Part {
    slot: Slot,
    room: RoomId,
    code: CloseCode,
}

#[derive(Message)]
#[rtype(result = "()")]
struct CloseSlot {
    slot: Slot,
    code: CloseCode,
}

#[derive(Message)]
#[rtype(result = "()")]
struct CloseWhere {
    whose: Whose,
    code: CloseCode,
}

#[derive(Message)]
#[rtype(result = "(Vec<Arc<Seat>>, i64)")]
struct Roster(RoomId);

#[derive(Message)]
#[rtype(result = "HashMap<RoomId, GroupFigures>")]
struct Survey;

#[derive(Message)]
#[rtype(result = "Vec<(u64, Duration)>")]
struct Look(Vec<Slot>);

/// The worker's Shard.
pub struct Shard {
    pub(super) callers: Callers,
    pub(super) online: Arc<Online>,
    groups: HashMap<RoomId, Group>,
    ready: VecDeque<RoomId>,
    patience: Patience,
    swept: Instant,
    /// Acts of late, for sockets that were on their way in when they came.
    acts: VecDeque<(Instant, Whose, CloseCode)>,
}

/// How long an act is remembered: longer than any handshake takes.
const ACTS_LAST: Duration = Duration::from_mins(1);
/// How many are; the oldest go first.
const ACTS_KEPT: usize = 4_096;
/// How often sockets are looked at.
const SWEEP: Duration = Duration::from_secs(1);

impl Shard {
    fn start_on_this_worker(
        worker: usize,
        limits: &SessionSettings,
        online: Arc<Online>,
    ) -> ShardHandle {
        let patience = Patience::new(limits);
        let addr = Self {
            callers: Callers::default(),
            online,
            groups: HashMap::new(),
            ready: VecDeque::new(),
            patience,
            swept: Instant::now(),
            acts: VecDeque::new(),
        }
        .start();
        ShardHandle { worker, addr, arbiter: Arbiter::current() }
    }

    /// An act may have come while a socket was on its way in.
    pub(super) fn turn_away_if_acted_upon(
        &self,
        slot: Slot,
        user: Option<UserId>,
        login: Option<LoginId>,
    ) {
        let act = self.acts.iter().find(|(_, whose, _)| whose.fits(user, login));
        if let (Some((.., code)), Some(outlet)) = (act, outlet::find(slot)) {
            outlet.close(*code);
        }
    }

    /// Writes for one turn; whether more is left.
    fn turn(&mut self) -> bool {
        let mut budget = TURN;
        while budget > 0
            && let Some(room) = self.ready.pop_front()
        {
            let Some(group) = self.groups.get_mut(&room) else { continue };
            budget = group.work(budget, self.patience.max_pending_bytes);
            if group.has_work() {
                self.ready.push_back(room);
            } else if group.is_empty() {
                self.groups.remove(&room);
            }
        }
        !self.ready.is_empty()
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        let step = now.saturating_duration_since(std::mem::replace(&mut self.swept, now));
        while self
            .acts
            .front()
            .is_some_and(|(at, ..)| now.saturating_duration_since(*at) > ACTS_LAST)
        {
            self.acts.pop_front();
        }
        if self.callers.anybody_watches() {
            self.callers.tell_people(&self.online.list());
        }
        let ping = [Frame::ping()];
        for outlet in outlet::all() {
            if outlet.due().is_some_and(|due| due <= now) {
                outlet.wake();
            }
            let waiting_for =
                outlet.backlog().since.map(|since| now.saturating_duration_since(since));
            let quiet_for = now.saturating_duration_since(outlet.last_heard());
            match self.patience.judge(quiet_for, waiting_for, step) {
                Verdict::Fine => {}
                Verdict::Ping => {
                    outlet.deliver(&ping);
                }
                Verdict::Silent => outlet.close(close::SILENT),
                Verdict::Slow => outlet.close(close::TOO_SLOW),
            }
        }
    }
}

impl Actor for Shard {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |shard, _| shard.sweep());
        ctx.spawn(Pump);
    }
}

/// Polled once the mailbox is empty: what came in together goes out together.
struct Pump;

impl ActorFuture<Shard> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        shard: &mut Shard,
        _: &mut Context<Shard>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        if shard.turn() {
            task.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Handler<Steps> for Shard {
    type Result = ();

    fn handle(&mut self, Steps { room, step }: Steps, _: &mut Self::Context) {
        if let Step::Attach(seat, ..) = &step {
            self.turn_away_if_acted_upon(seat.slot, seat.user(), seat.login);
        }
        let group = self.groups.entry(room).or_insert_with(|| Group::new(room));
        if !group.has_work() {
            self.ready.push_back(room);
        }
        group.push(step);
    }
}

impl Handler<Settle> for Shard {
    type Result = ();

    fn handle(&mut self, Settle { slot, tag, outcome }: Settle, _: &mut Self::Context) {
        if let Some(outlet) = outlet::find(slot) {
            outlet.settle(tag, outcome);
        }
    }
}

impl Handler<Part> for Shard {
    type Result = ();

    fn handle(&mut self, Part { slot, room, code }: Part, _: &mut Self::Context) {
        if let Some(outlet) = outlet::find(slot) {
            outlet.part(room, code);
        }
    }
}

impl Handler<CloseSlot> for Shard {
    type Result = ();

    fn handle(&mut self, CloseSlot { slot, code }: CloseSlot, _: &mut Self::Context) {
        if let Some(outlet) = outlet::find(slot) {
            outlet.close(code);
        }
    }
}

impl Handler<CloseWhere> for Shard {
    type Result = ();

    fn handle(&mut self, CloseWhere { whose, code }: CloseWhere, _: &mut Self::Context) {
        if matches!(whose, Whose::All) {
            for outlet in outlet::all() {
                outlet.close(code);
            }
            return;
        }
        if self.acts.len() >= ACTS_KEPT {
            self.acts.pop_front();
        }
        self.acts.push_back((Instant::now(), whose.clone(), code));
        let seats = self.groups.values().flat_map(Group::seats);
        let seated = seats.filter(|seat| whose.fits(seat.user(), seat.login)).map(|seat| seat.slot);
        let slots: HashSet<_> = seated.chain(self.callers.slots_of(&whose)).collect();
        for outlet in slots.into_iter().filter_map(outlet::find) {
            outlet.close(code);
        }
    }
}

impl Handler<Roster> for Shard {
    type Result = MessageResult<Roster>;

    fn handle(&mut self, Roster(room): Roster, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.groups.get(&room).map(Group::roster).unwrap_or_default())
    }
}

impl Handler<Survey> for Shard {
    type Result = MessageResult<Survey>;

    fn handle(&mut self, _: Survey, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.groups.iter().map(|(room, group)| (*room, group.figures())).collect())
    }
}

impl Handler<Look> for Shard {
    type Result = MessageResult<Look>;

    fn handle(&mut self, Look(slots): Look, _: &mut Self::Context) -> Self::Result {
        let look = |slot| {
            outlet::find(slot).map_or((0, Duration::ZERO), |outlet| {
                (outlet.backlog().bytes as u64, outlet.last_heard().elapsed())
            })
        };
        MessageResult(slots.into_iter().map(look).collect())
    }
}
