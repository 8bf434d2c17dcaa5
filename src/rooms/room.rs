//! A room's actor: it owns the room's sockets, its count of people and the order of its events.
//! Messages come from sessions (join, leave, post), the registry (start, retire) and the Writer.
//! It decides nothing itself that `state.rs` can decide, and never waits inside a handler.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::bus::Bus;
use crate::config::{FaultSettings, RoomSettings};
use crate::domain::figures::Rate;
use crate::domain::{Event, EventId, NewEvent, Record, Role, RoomId, RoomRow, UserId, clock};
use crate::protocol::CloseCode;
use crate::store::{MemberChange, MemberRow, RoomRows, Store};

use super::Refused;
use super::activity::Activity;
use super::admission::{Gate, Held};
use super::budget::WindowBudget;
use super::gauge::{Gauge, Online};
use super::joining::{Readers, Reading};
use super::light::Light;
use super::others::Others;
use super::posting::Post;
use super::registry::{CloseNow, Died, Empty, Registry};
use super::seat::Seat;
use super::shards::{ShardHandle, Shards};
use super::state::RoomState;
use super::step::Step;
use super::ticket::Ticket;
use super::window::Window;

/// Control messages that wait; each is bounded by sessions or permits, so this only sizes the queue.
const MAILBOX: usize = 4_096;

/// How others reach a room.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    /// Its id.
    pub id: RoomId,
    /// Its actor; closed after a panic, then the registry has another.
    pub addr: Addr<Room>,
    /// Where posts are let in.
    pub gate: Gate,
    /// Its counts, to be read without asking.
    pub gauge: Arc<Gauge>,
    /// The worker that it lives on.
    pub(super) home: Arc<ShardHandle>,
}

/// Sockets of a room that live on its own worker, so that a message costs no hop between threads.
/// A larger room's others stay where they came in: its fan-out, some 6 ms by now, is then shared.
const AT_HOME: u64 = 1_024;

impl RoomHandle {
    /// The worker where a socket that came in `here` is better placed, if there is one.
    #[must_use]
    pub fn better_place(&self, here: &ShardHandle) -> Option<Arc<ShardHandle>> {
        let is_better = self.home.worker != here.worker && self.gauge.sessions() < AT_HOME;
        is_better.then(|| Arc::clone(&self.home))
    }
}

/// A post that was taken and waits for its commit.
pub(super) struct InFlight {
    pub event: NewEvent,
    pub from: Option<IpAddr>,
    pub record: Option<Box<Record>>,
    pub ticket: Ticket,
    pub held: Held,
}

/// A change of members that waits for its commit.
pub(super) struct Changing {
    pub answer: tokio::sync::oneshot::Sender<Result<(), Refused>>,
    pub by: UserId,
    pub change: MemberChange,
    /// It is an admin's act.
    pub is_admins: bool,
    /// The store's fence sent it back: it is answered when the rows were read anew.
    pub is_fenced: bool,
    pub _held: Held,
}

/// A room's actor.
#[expect(clippy::struct_excessive_bools, reason = "what is under way, each for itself")]
pub struct Room {
    pub(super) state: RoomState,
    pub(super) store: Store,
    pub(super) in_flight: HashMap<EventId, InFlight>,
    pub(super) changing: HashMap<EventId, Changing>,
    /// Posts that wait for the rows to be read anew, in order.
    pub(super) held_back: VecDeque<Post>,
    /// Posts that the store's fence sent back; they go before those held back.
    pub(super) fenced: Vec<InFlight>,
    pub(super) reloading: bool,
    pub(super) reload_again: bool,
    /// Events that the database has and whose predecessors are being read.
    pub(super) ahead: Vec<(Arc<Event>, Option<Held>)>,
    pub(super) filling: bool,
    /// Sockets that wait for something of the room's past.
    pub(super) opening: HashMap<Reading, Readers>,
    /// It was made anew and does not know yet how far the one before had got.
    pub(super) is_behind: bool,
    /// What is not stored and not told yet.
    pub(super) light: Light,
    pub(super) activity: Activity,
    /// What was stored through this room, not another node's.
    pub(super) stored: Rate,
    pub(super) settings: RoomSettings,
    pub(super) faults: FaultSettings,
    pub(super) shards: Shards,
    gauge: Arc<Gauge>,
    pub(super) online: Arc<Online>,
    pub(super) bus: Bus,
    pub(super) others: Others,
    pub(super) gate: Gate,
    pub(super) windows: Arc<WindowBudget>,
    pub(super) registry: Addr<Registry>,
    generation: u64,
    /// Messages that came through the registry; it compares before it retires the room.
    forwarded: u64,
    linger: Option<SpawnHandle>,
}

/// What a room starts with.
pub struct Start {
    /// Its row, its members and its bans.
    pub rows: RoomRows,
    /// Sockets that the Shards still hold for it, after a panic.
    pub seats: Vec<Arc<Seat>>,
    /// `seq` those sockets have got to.
    pub reached: Option<i64>,
    /// The rest of what it needs.
    pub store: Store,
    /// Bounds.
    pub settings: RoomSettings,
    /// Faults on purpose.
    pub faults: FaultSettings,
    /// Ways to the sockets.
    pub shards: Shards,
    /// Its counts.
    pub gauge: Arc<Gauge>,
    /// Who is online.
    pub online: Arc<Online>,
    /// The way to other nodes.
    pub bus: Bus,
    /// How much of the newest events all rooms may hold.
    pub windows: Arc<WindowBudget>,
    /// Its permits.
    pub gate: Gate,
    /// Who retires it.
    pub registry: Addr<Registry>,
    /// Tells it from an earlier actor of the same room.
    pub generation: u64,
}

impl Room {
    /// Makes the actor.
    #[must_use]
    pub fn new(start: Start) -> Self {
        let RoomRows { row, members, bans } = start.rows;
        let head = start.reached.unwrap_or(row.last_seq);
        let windows = Arc::clone(&start.windows);
        let window = Window::new(row.id, head, start.settings.window_events, windows);
        let row = RoomRow { last_seq: head, ..row };
        let mut state = RoomState::new(row, roles(&members), bans.into_iter().collect(), window);
        state.set_read(marks(&members));
        for seat in start.seats {
            if let Some(card) = &seat.card {
                start.online.came(card, seat.since);
            }
            state.join(seat);
        }
        Self {
            state,
            store: start.store,
            in_flight: HashMap::new(),
            changing: HashMap::new(),
            held_back: VecDeque::new(),
            fenced: Vec::new(),
            reloading: false,
            reload_again: false,
            ahead: Vec::new(),
            filling: false,
            opening: HashMap::new(),
            is_behind: start.reached.is_some(),
            light: Light::default(),
            activity: Activity::default(),
            stored: Rate::default(),
            settings: start.settings,
            faults: start.faults,
            shards: start.shards,
            gauge: start.gauge,
            online: start.online,
            bus: start.bus,
            others: Others::default(),
            gate: start.gate,
            windows: start.windows,
            registry: start.registry,
            generation: start.generation,
            forwarded: 0,
            linger: None,
        }
    }

    /// The room's id.
    pub(super) const fn id(&self) -> RoomId {
        self.state.row().id
    }

    /// Sends a step to every Shard that holds sockets of the room.
    pub(super) fn to_shards(&self, step: impl Fn() -> Step) {
        for shard in self.state.workers().filter_map(|worker| self.shards.of(worker)) {
            shard.step(self.id(), step());
        }
    }

    pub(super) fn to_shard(&self, seat: &Seat, step: Step) {
        if let Some(shard) = self.shards.of(seat.slot.worker) {
            shard.step(self.id(), step);
        }
    }

    /// Shows the room's counts to others.
    pub(super) fn count(&self) {
        self.gauge.set(self.state.presence(), self.state.head(), self.state.row().member_rev);
    }

    /// Starts the time after which an idle room asks to be retired; whatever comes puts it off.
    pub(super) fn retire_later(&mut self, ctx: &mut Context<Self>) {
        if let Some(earlier) = self.linger.take() {
            ctx.cancel_future(earlier);
        }
        if self.is_idle() {
            let linger = Duration::from_secs(self.settings.linger_s);
            self.linger = Some(ctx.run_later(linger, |room, _| {
                if room.is_idle() {
                    room.ask_to_retire();
                }
            }));
        }
    }

    fn is_idle(&self) -> bool {
        self.state.presence().sessions() == 0
            && self.in_flight.is_empty()
            && self.changing.is_empty()
            && self.held_back.is_empty()
            && self.fenced.is_empty()
            && self.opening.is_empty()
            && self.ahead.is_empty()
            && !self.light.is_waiting
            && !self.filling
            && !self.reloading
    }

    #[expect(clippy::disallowed_methods, reason = "one a linger")]
    fn ask_to_retire(&self) {
        let (room, generation, forwarded) = (self.id(), self.generation, self.forwarded);
        self.registry.do_send(Empty { room, generation, forwarded });
    }
}

/// Roles by user.
pub(super) fn roles(members: &[MemberRow]) -> HashMap<UserId, Role> {
    members.iter().map(|member| (UserId(member.card.id), member.role)).collect()
}

/// How far each has read.
pub(super) fn marks(members: &[MemberRow]) -> impl Iterator<Item = (UserId, i64)> {
    members.iter().map(|member| (UserId(member.card.id), member.read_seq))
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.count();
        self.retire_later(ctx);
    }
}

impl Drop for Room {
    #[expect(clippy::disallowed_methods, reason = "one a room")]
    fn drop(&mut self) {
        self.gauge.clear();
        for user in self.state.seats().filter_map(|seat| seat.user()) {
            self.online.went(user, clock::now());
        }
        self.registry.do_send(Died { room: self.id(), generation: self.generation });
    }
}

/// The room was made anew after its actor died: what the one before left with the Writer may
/// still come, without a word to this one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Recovered;

impl Handler<Recovered> for Room {
    type Result = ();

    fn handle(&mut self, _: Recovered, ctx: &mut Self::Context) {
        self.to_shards(|| Step::Recount);
        self.tell_nodes_who_is_here();
        self.evict(None, ctx);
        self.check_position(ctx);
        for after in [1, 5, 40] {
            ctx.run_later(Duration::from_secs(after), Self::check_position);
        }
    }
}

/// The room was closed for good: everybody out.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseRoom(pub CloseCode);

impl Handler<CloseRoom> for Room {
    type Result = ();

    fn handle(&mut self, CloseRoom(code): CloseRoom, ctx: &mut Self::Context) {
        self.forwarded += 1;
        self.close_for_good(code);
        self.retire_later(ctx);
    }
}

/// The registry's word: nobody is on the way here any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retire;

impl Handler<Retire> for Room {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// What the room's sockets and figures are; also has the Shards balance its accounts.
#[derive(Message)]
#[rtype(result = "super::figures::RoomSnapshot")]
pub struct Snapshot {
    /// Seats to list.
    pub seats: usize,
}

impl Handler<Snapshot> for Room {
    type Result = MessageResult<Snapshot>;

    fn handle(&mut self, Snapshot { seats }: Snapshot, _: &mut Self::Context) -> Self::Result {
        let dues = Arc::new(self.state.dues());
        self.to_shards(|| Step::Audit(Arc::clone(&dues)));
        MessageResult(super::figures::RoomSnapshot::of(
            &self.state,
            self.stored,
            self.gate.taken(self.settings.permits),
            seats,
        ))
    }
}

impl Room {
    /// Nobody speaks or enters here any more.
    pub(super) fn close_for_good(&mut self, code: CloseCode) {
        self.state.close(clock::now());
        self.to_shards(|| Step::CloseAll(code));
    }

    /// The database says that the room is closed or gone, by whoever's act: the registry gives its
    /// name free and has everybody put out.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub(super) fn is_closed(&mut self) {
        self.state.close(clock::now());
        self.registry.do_send(CloseNow(self.id()));
    }

    /// A message came through the registry.
    pub(super) const fn note_forwarded(&mut self) {
        self.forwarded += 1;
    }

    /// Something in flight was answered: the room may be idle now.
    pub(super) fn settled(&mut self, ctx: &mut Context<Self>) {
        self.count();
        self.tell_activity_later(ctx);
        self.retire_later(ctx);
    }
}
