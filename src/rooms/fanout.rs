//! One Shard a worker: it writes to the worker's sockets, room by room, and decides which of them
//! are too slow or gone. Rooms send it steps; it never waits for a socket.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use actix::fut::ActorFuture;
use actix::prelude::*;

use crate::config::SessionSettings;
use crate::domain::{LoginId, RoomId, UserId, clock};
use crate::protocol::{CloseCode, Dialect, Frame, close};

use super::callers::Callers;
use super::chats::Chats;
use super::gauge::Online;
use super::group::Group;
use super::ledger::Left;
use super::outlet::{self, Slot};
use super::patience::{Patience, Verdict};
use super::seat::Seat;
use super::shards::{
    CloseWhere, Look, Looked, Pardon, Part, Roster, Settle, ShardHandle, Steps, Survey, Visits,
    Whose,
};
use super::stays::Gone;
use super::step::Step;

/// Sockets written to before the worker's other tasks get their turn: about a millisecond.
const TURN: usize = 256;
/// Messages from rooms that wait in the mailbox before a sender would have to; every sender here
/// is bounded by sessions or permits, so this only sizes the queue.
const MAILBOX: usize = 4_096;

/// The worker's Shard.
pub struct Shard {
    pub(super) callers: Callers,
    pub(super) chats: Chats,
    pub(super) online: Arc<Online>,
    groups: HashMap<RoomId, Group>,
    ready: VecDeque<RoomId>,
    /// The accounts of rooms that are gone.
    left: Left,
    gone: Gone,
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
    pub(super) fn start_on_this_worker(
        worker: usize,
        limits: &SessionSettings,
        online: Arc<Online>,
    ) -> ShardHandle {
        let patience = Patience::new(limits);
        let addr = Self {
            callers: Callers::default(),
            chats: Chats::default(),
            online,
            groups: HashMap::new(),
            ready: VecDeque::new(),
            left: Left::default(),
            gone: Gone::new(clock::now()),
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
            for visit in group.gone.drain(..) {
                self.gone.note(room, visit);
            }
            if group.has_work() {
                self.ready.push_back(room);
            } else if group.is_empty() {
                self.left.take_over(std::mem::take(&mut group.left));
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
        self.groups.values_mut().for_each(Group::make_good);
        self.callers.make_good(&self.online);
        let ping = [Frame::ping()];
        for (slot, outlet) in outlet::all() {
            if outlet.due().is_some_and(|due| due <= now) {
                outlet.wake();
            }
            let waiting_for =
                outlet.backlog().since.map(|since| now.saturating_duration_since(since));
            let quiet_for = now.saturating_duration_since(outlet.last_heard());
            match self.patience.judge(quiet_for, waiting_for, step) {
                Verdict::Fine => {}
                Verdict::Ping => {
                    outlet.deliver(&ping, None);
                }
                Verdict::Silent => outlet.close(close::SILENT),
                Verdict::Slow => {
                    self.gone.note_slow(slot);
                    outlet.close(close::TOO_SLOW);
                }
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
            outlet.part(room, code, false);
        }
    }
}

impl Handler<CloseWhere> for Shard {
    type Result = ();

    fn handle(&mut self, CloseWhere { whose, code }: CloseWhere, _: &mut Self::Context) {
        if matches!(whose, Whose::All) {
            for (_, outlet) in outlet::all() {
                outlet.close(code);
            }
            return;
        }
        if self.acts.len() >= ACTS_KEPT {
            self.acts.pop_front();
        }
        self.acts.push_back((Instant::now(), whose.clone(), code));
        // A native socket may live by a newer login than the one that it came with.
        let seats = self.groups.values().flat_map(Group::seats);
        let plain = seats.filter(|seat| seat.dialect != Dialect::Native);
        let seated = plain.filter(|seat| whose.fits(seat.user(), seat.login)).map(|seat| seat.slot);
        let slots: HashSet<_> = seated.chain(self.callers.slots_of(&whose)).collect();
        for outlet in slots.into_iter().filter_map(outlet::find) {
            outlet.close(code);
        }
    }
}

impl Handler<Pardon> for Shard {
    type Result = ();

    fn handle(&mut self, Pardon(user): Pardon, _: &mut Self::Context) {
        self.acts.retain(|(_, whose, _)| !matches!(whose, Whose::User(other) if *other == user));
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
        let groups = self.groups.iter().map(|(room, group)| (*room, group.figures())).collect();
        self.left.settle();
        MessageResult((groups, self.left.total()))
    }
}

impl Handler<Look> for Shard {
    type Result = MessageResult<Look>;

    fn handle(&mut self, Look { room, seats }: Look, _: &mut Self::Context) -> Self::Result {
        let group = self.groups.get(&room);
        let look = |seat: Arc<Seat>| {
            let ledger = group.map(|group| group.account(seat.session)).unwrap_or_default();
            outlet::find(seat.slot).map_or_else(Looked::default, |outlet| Looked {
                queued_bytes: outlet.backlog().bytes as u64,
                quiet_for: outlet.last_heard().elapsed(),
                ledger,
            })
        };
        let figures = group.map(Group::figures).unwrap_or_default();
        MessageResult((figures, seats.into_iter().map(look).collect()))
    }
}

impl Handler<Visits> for Shard {
    type Result = MessageResult<Visits>;

    fn handle(&mut self, Visits { room, user }: Visits, _: &mut Self::Context) -> Self::Result {
        let here = self.groups.get(&room).map(|group| group.visits(user).collect::<Vec<_>>());
        let mut visits = here.unwrap_or_default();
        visits.extend(self.gone.of(room, user).cloned());
        MessageResult(Some((self.gone.known_since(), visits)))
    }
}
