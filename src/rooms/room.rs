//! A room's actor: it owns the room's sockets, its count of people and the order of its events.
//! Messages come from sessions (join, leave, post), the registry (start, retire) and the Writer.
//! It decides nothing itself that `state.rs` can decide, and never waits inside a handler.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::config::RoomSettings;
use crate::domain::{Event, EventId, NewEvent, Role, RoomId, RoomRow, SessionId, UserId, clock};
use crate::protocol::dialect::OPENING_MESSAGES;
use crate::protocol::{CloseCode, Dialect, Frame, Opening, close, dialect};
use crate::store::{Changed, MemberRow, Store, StoreError};

use super::Refused;
use super::admission::{Gate, Held};
use super::fanout::{ShardHandle, Shards};
use super::gauge::{Gauge, Online};
use super::group::{Said, Step};
use super::posting::Post;
use super::registry::{Died, Empty, Registry};
use super::seat::Seat;
use super::state::RoomState;
use super::ticket::Ticket;
use super::window::{Window, WindowBudget};

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
}

/// A post that was taken and waits for its commit.
pub(super) struct InFlight {
    pub event: NewEvent,
    pub ticket: Ticket,
    pub held: Held,
}

/// A change of members that waits for its commit.
pub(super) struct Changing {
    pub answer: tokio::sync::oneshot::Sender<Result<(), Refused>>,
    pub removes: Option<UserId>,
    pub _held: Held,
}

/// A room's actor.
pub struct Room {
    pub(super) state: RoomState,
    pub(super) store: Store,
    pub(super) in_flight: HashMap<EventId, InFlight>,
    pub(super) changing: HashMap<EventId, Changing>,
    /// Posts that wait for the rows to be read anew, in order.
    pub(super) held_back: VecDeque<Post>,
    pub(super) reloading: bool,
    /// Events that the database has and whose predecessors are being read.
    pub(super) ahead: Vec<(Arc<Event>, Option<Held>)>,
    pub(super) filling: bool,
    /// Sockets that wait for the room's latest messages.
    opening: Vec<Join>,
    pub(super) settings: RoomSettings,
    shards: Shards,
    gauge: Arc<Gauge>,
    online: Arc<Online>,
    pub(super) gate: Gate,
    registry: Addr<Registry>,
    generation: u64,
    /// Messages that came through the registry; it compares before it retires the room.
    forwarded: u64,
    linger: Option<SpawnHandle>,
}

/// What a room starts with.
pub struct Start {
    /// Its row.
    pub row: RoomRow,
    /// Its members.
    pub members: Vec<MemberRow>,
    /// Sockets that the Shards still hold for it, after a panic.
    pub seats: Vec<Arc<Seat>>,
    /// `seq` those sockets have got to.
    pub reached: Option<i64>,
    /// The rest of what it needs.
    pub store: Store,
    /// Bounds.
    pub settings: RoomSettings,
    /// Ways to the sockets.
    pub shards: Shards,
    /// Its counts.
    pub gauge: Arc<Gauge>,
    /// Who is online.
    pub online: Arc<Online>,
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
        let head = start.reached.unwrap_or(start.row.last_seq);
        let window = Window::new(head, start.settings.window_events, start.windows);
        let row = RoomRow { last_seq: head, ..start.row };
        let mut state = RoomState::new(row, roles(&start.members), window);
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
            reloading: false,
            ahead: Vec::new(),
            filling: false,
            opening: Vec::new(),
            settings: start.settings,
            shards: start.shards,
            gauge: start.gauge,
            online: start.online,
            gate: start.gate,
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

    fn to_shard(&self, seat: &Seat, step: Step) {
        if let Some(shard) = self.shards.of(seat.slot.worker) {
            shard.step(self.id(), step);
        }
    }

    fn count(&self) {
        self.gauge.set(self.state.presence(), self.state.head());
    }

    /// A socket's way out, whoever wants it.
    pub(super) fn remove(
        &mut self,
        session: SessionId,
        code: Option<CloseCode>,
        ctx: &mut Context<Self>,
    ) {
        self.opening.retain(|join| join.seat.session != session);
        let Some(seat) = self.state.leave(session) else { return };
        self.to_shard(&seat, Step::Detach(session, code));
        if let Some(user) = seat.user().filter(|user| self.online.went(*user)) {
            self.note_last_seen(user, ctx);
        }
        self.count();
        self.retire_later(ctx);
    }

    fn note_last_seen(&self, user: UserId, ctx: &mut Context<Self>) {
        let (store, now) = (self.store.clone(), clock::now());
        let noting = async move {
            if let Err(error) = store.seen(&[user], now).await {
                log::warn!("user {user}: when he was last seen could not be stored: {error}");
            }
        };
        ctx.spawn(noting.into_actor(self));
    }

    /// Starts the time after which an idle room asks to be retired; whatever comes puts it off.
    fn retire_later(&mut self, ctx: &mut Context<Self>) {
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
    }

    #[expect(clippy::disallowed_methods, reason = "one a linger")]
    fn ask_to_retire(&self) {
        let (room, generation, forwarded) = (self.id(), self.generation, self.forwarded);
        self.registry.do_send(Empty { room, generation, forwarded });
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
        let latest = match read {
            // The database may be ahead of what was delivered: that part comes live.
            Ok(messages) => {
                messages.into_iter().filter(|message| message.seq <= head).collect::<Vec<_>>()
            }
            Err(error) => {
                log::error!("room {}: its latest messages could not be read: {error}", self.id());
                // Dropped, each closes its socket, which comes again.
                return drop(waiting);
            }
        };
        let is_all = latest.len() < OPENING_MESSAGES;
        self.state.window.fill(latest, head, is_all);
        for join in waiting {
            self.attach(join, ctx);
        }
        self.state.window.trim();
    }

    /// The members changed in the database, by our own act.
    pub(super) fn members_changed(&mut self, changed: Changed) {
        self.state.set_members(changed.members.into_iter().collect(), changed.member_rev);
        if let Some(event) = changed.event {
            self.arrived(Arc::new(event), None);
        }
    }
}

/// Roles by user.
pub(super) fn roles(members: &[MemberRow]) -> HashMap<UserId, Role> {
    members.iter().map(|member| (UserId(member.card.id), member.role)).collect()
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
            self.online.went(user);
        }
        self.registry.do_send(Died { room: self.id(), generation: self.generation });
    }
}

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
        self.forwarded += 1;
        match self.state.may_enter(join.seat.who) {
            Ok(()) => self.attach(join, ctx),
            Err(code) => join.refuse(code),
        }
        self.retire_later(ctx);
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
        self.check_position(ctx);
        for after in [1, 5, 40] {
            ctx.run_later(Duration::from_secs(after), Self::check_position);
        }
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

/// Somebody types; only shh rooms show it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Typing(pub Arc<Seat>);

impl Handler<Typing> for Room {
    type Result = ();

    fn handle(&mut self, Typing(seat): Typing, _: &mut Self::Context) {
        let Some(card) = seat.card.as_deref().filter(|_| self.state.may_post(seat.who).is_ok())
        else {
            return;
        };
        let frame = dialect::typing(card);
        let said = Said::encode(|dialect| dialect.is_shh(), |_| Some(frame.clone()));
        self.to_shards(|| Step::Whisper(said.clone(), seat.session));
    }
}

/// The room was closed for good: everybody out.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseRoom(pub CloseCode);

impl Handler<CloseRoom> for Room {
    type Result = ();

    fn handle(&mut self, CloseRoom(code): CloseRoom, _: &mut Self::Context) {
        self.forwarded += 1;
        self.state.close(clock::now());
        self.to_shards(|| Step::CloseAll(code));
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

/// What the room's sockets and figures are.
#[derive(Message)]
#[rtype(result = "super::figures::RoomSnapshot")]
pub struct Snapshot {
    /// Seats to list.
    pub seats: usize,
}

impl Handler<Snapshot> for Room {
    type Result = MessageResult<Snapshot>;

    fn handle(&mut self, Snapshot { seats }: Snapshot, _: &mut Self::Context) -> Self::Result {
        MessageResult(super::figures::RoomSnapshot::of(
            &self.state,
            self.gate.taken(self.settings.permits),
            seats,
        ))
    }
}

impl Room {
    /// A message came through the registry.
    pub(super) const fn note_forwarded(&mut self) {
        self.forwarded += 1;
    }

    /// Something in flight was answered: the room may be idle now.
    pub(super) fn settled(&mut self, ctx: &mut Context<Self>) {
        self.count();
        self.retire_later(ctx);
    }
}
