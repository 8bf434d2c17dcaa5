//! The registry: it alone starts rooms, when somebody needs one, retires them once nobody does,
//! and makes anew one that panicked. Posts do not pass through it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{Semaphore, oneshot};

use crate::bus::Bus;
use crate::config::{FaultSettings, RoomSettings};
use crate::domain::{RoomId, SessionId, clock};
use crate::protocol::close;
use crate::store::{RoomRows, Store, StoreError};

use super::Refused;
use super::admission::{Gate, bytes_of_node};
use super::budget::WindowBudget;
use super::directory::Directory;
use super::gauge::{Gauge, Online};
use super::joining::Leave;
use super::positions::Checks;
use super::room::{CloseRoom, Recovered, Retire, Room, RoomHandle, Start};
use super::seat::Seat;
use super::shards::{ShardHandle, Shards};
use super::step::Step;

/// Requests that wait for rooms to start; each is one socket's or one REST caller's.
const MAILBOX: usize = 4_096;

/// A room's rows are read again after this time when the database did not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it is noted who has gone.
const NOTE_GONE: Duration = Duration::from_secs(1);

/// A room that is being started, and what it is told as soon as it is there.
#[derive(Default)]
struct Starting {
    waiting: Vec<oneshot::Sender<Result<Arc<RoomHandle>, Refused>>>,
    left: Vec<SessionId>,
    closed: bool,
}

/// The supervisor of all rooms.
pub struct Registry {
    pub(super) store: Store,
    settings: RoomSettings,
    faults: FaultSettings,
    pub(super) directory: Arc<Directory>,
    shards: Shards,
    online: Arc<Online>,
    pub(super) bus: Bus,
    pub(super) checks: Checks,
    windows: Arc<WindowBudget>,
    bytes: Arc<Semaphore>,
    starting: HashMap<RoomId, Starting>,
    generation: u64,
}

/// A room's rows, and the sockets that Shards still hold for it.
struct Found {
    rows: RoomRows,
    seats: Vec<Arc<Seat>>,
    reached: Option<i64>,
}

impl Registry {
    /// A registry without rooms.
    #[must_use]
    pub fn new(
        store: Store,
        settings: RoomSettings,
        faults: FaultSettings,
        directory: Arc<Directory>,
        shards: Shards,
        online: Arc<Online>,
        bus: Bus,
    ) -> Self {
        let windows = WindowBudget::new(settings.windows_bytes);
        let bytes = bytes_of_node(settings.in_flight_bytes);
        Self {
            store,
            settings,
            faults,
            directory,
            shards,
            online,
            checks: Checks::default(),
            bus,
            windows,
            bytes,
            starting: HashMap::new(),
            generation: 0,
        }
    }

    /// Reads a room's rows, then starts it; whoever else asks meanwhile waits for the same start.
    fn begin(
        &mut self,
        room: RoomId,
        on: Option<Arc<ShardHandle>>,
        recovers: bool,
        ctx: &mut Context<Self>,
    ) {
        let (store, shards) = (self.store.clone(), self.shards.clone());
        let reading = async move { find(&store, &shards, room, recovers).await };
        ctx.spawn(reading.into_actor(self).map(move |found, registry, ctx| {
            let outcome = match found {
                Ok(Some(found)) => registry.start(found, on, ctx),
                Ok(None) => {
                    registry.orphan(room);
                    Err(Refused::NotFound)
                }
                Err(error) => {
                    log::error!("room {room}: it could not be started: {error}");
                    Err(Refused::Busy)
                }
            };
            let goes_on = recovers && matches!(outcome, Err(Refused::Busy));
            let starting = if goes_on {
                // Its sockets are still there: the room must be, too.
                ctx.run_later(AGAIN, move |registry, ctx| registry.begin(room, None, true, ctx));
                registry.starting.get_mut(&room).map(std::mem::take).unwrap_or_default()
            } else {
                registry.starting.remove(&room).unwrap_or_default()
            };
            if let Ok(handle) = &outcome {
                registry.tell(handle, &starting);
            }
            for waiting in starting.waiting {
                // Who asked may be gone.
                drop(waiting.send(outcome.clone()));
            }
        }));
    }

    /// What came for the room while it was being started.
    #[expect(clippy::disallowed_methods, reason = "one a session or an act")]
    fn tell(&self, handle: &RoomHandle, starting: &Starting) {
        for session in &starting.left {
            handle.addr.do_send(Leave(*session));
        }
        if starting.closed {
            self.close_now(handle.id);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "one an act")]
    fn close_now(&self, room: RoomId) -> bool {
        let close = |handle: &RoomHandle| {
            handle.addr.do_send(CloseRoom(close::ROOM_CLOSED));
            true
        };
        let is_live = self.directory.send(room, close).is_some();
        self.directory.release_name(room);
        is_live
    }

    /// A room that is not there any more: who is still in it is told.
    fn orphan(&self, room: RoomId) {
        for shard in self.shards.all() {
            shard.step(room, Step::CloseAll(close::ROOM_CLOSED));
        }
    }

    /// Starts the room on the worker of who needs it first.
    fn start(
        &mut self,
        found: Found,
        on: Option<Arc<ShardHandle>>,
        ctx: &mut Context<Self>,
    ) -> Result<Arc<RoomHandle>, Refused> {
        let recovered = found.reached.is_some();
        let home = found.seats.first().map(|seat| seat.slot.worker);
        let on = on.or_else(|| self.shards.of(home.unwrap_or(0))).ok_or(Refused::Busy)?;
        self.generation += 1;
        let gauge = Arc::new(Gauge::default());
        let gate =
            Gate::new(self.settings.permits, Arc::clone(&self.bytes), self.store.writer().clone());
        let row = found.rows.row.clone();
        if row.by_guest && !row.listed {
            self.note_entered(row.id, ctx);
        }
        let start = Start {
            rows: found.rows,
            seats: found.seats,
            reached: found.reached,
            store: self.store.clone(),
            settings: self.settings.clone(),
            faults: self.faults.clone(),
            shards: self.shards.clone(),
            gauge: Arc::clone(&gauge),
            online: Arc::clone(&self.online),
            bus: self.bus.clone(),
            windows: Arc::clone(&self.windows),
            gate: gate.clone(),
            registry: ctx.address(),
            generation: self.generation,
        };
        let addr = Room::start_in_arbiter(&on.arbiter, move |_| Room::new(start));
        if recovered {
            Self::tell_recovered(&addr);
        }
        let handle = Arc::new(RoomHandle { id: row.id, addr, gate, gauge, home: on });
        self.directory.insert(&row, handle.clone(), self.generation);
        self.bus.subscribe(row.id);
        Ok(handle)
    }

    /// A room that may be forgotten some day is not, while somebody is in it.
    fn note_entered(&self, room: RoomId, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let noting = async move {
            if let Err(error) = store.room_entered(room).await {
                log::warn!("room {room}: that it was entered could not be stored: {error}");
            }
        };
        ctx.spawn(noting.into_actor(self));
    }

    #[expect(clippy::disallowed_methods, reason = "one a room that died")]
    fn tell_recovered(addr: &Addr<Room>) {
        addr.do_send(Recovered);
    }
}

/// A room's rows; for one that died also the sockets it had, and how far they had got.
async fn find(
    store: &Store,
    shards: &Shards,
    room: RoomId,
    recovers: bool,
) -> Result<Option<Found>, StoreError> {
    let rows = store.room_rows(room, clock::now()).await?;
    let Some(rows) = rows.filter(|rows| rows.row.closed_at.is_none()) else { return Ok(None) };
    let (mut seats, mut reached) = (Vec::new(), None);
    if recovers {
        for shard in shards.all() {
            let (held, seq) = shard.roster(room).await;
            if !held.is_empty() {
                reached = Some(reached.map_or(seq, |reached: i64| reached.min(seq)));
                seats.extend(held);
            }
        }
        reached = Some(reached.unwrap_or(rows.row.last_seq));
    }
    Ok(Some(Found { rows, seats, reached }))
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.check_positions(ctx);
        ctx.run_interval(NOTE_GONE, |registry, ctx| {
            let (store, online) = (registry.store.clone(), Arc::clone(&registry.online));
            ctx.spawn(async move { online.note_gone(&store).await }.into_actor(registry));
        });
    }
}

/// A socket leaves a room that is not live: it may be about to be.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LeaveLater {
    /// Which.
    pub room: RoomId,
    /// Whose seat.
    pub session: SessionId,
}

impl Handler<LeaveLater> for Registry {
    type Result = ();

    #[expect(clippy::disallowed_methods, reason = "at most two a session")]
    fn handle(&mut self, LeaveLater { room, session }: LeaveLater, _: &mut Self::Context) {
        let leave = |handle: &RoomHandle| {
            handle.addr.do_send(Leave(session));
            false
        };
        if self.directory.send(room, leave).is_none()
            && let Some(starting) = self.starting.get_mut(&room)
        {
            starting.left.push(session);
        }
    }
}

/// A room's row was closed: its sockets are, too, be it live or about to be.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseNow(pub RoomId);

impl Handler<CloseNow> for Registry {
    type Result = ();

    fn handle(&mut self, CloseNow(room): CloseNow, _: &mut Self::Context) {
        if !self.close_now(room)
            && let Some(starting) = self.starting.get_mut(&room)
        {
            starting.closed = true;
        }
    }
}

/// A room is needed: its handle, started when it wasn't live.
#[derive(Message)]
#[rtype(result = "Result<Arc<RoomHandle>, Refused>")]
pub struct Bring {
    /// Which.
    pub room: RoomId,
    /// The worker of who needs it.
    pub on: Option<Arc<ShardHandle>>,
}

impl Handler<Bring> for Registry {
    type Result = ResponseFuture<Result<Arc<RoomHandle>, Refused>>;

    fn handle(&mut self, Bring { room, on }: Bring, ctx: &mut Self::Context) -> Self::Result {
        if let Some(handle) = self.directory.send(room, |_| false) {
            return Box::pin(async { Ok(handle) });
        }
        let (sender, receiver) = oneshot::channel();
        let is_first = !self.starting.contains_key(&room);
        self.starting.entry(room).or_default().waiting.push(sender);
        if is_first {
            self.begin(room, on, false, ctx);
        }
        Box::pin(async { receiver.await.unwrap_or(Err(Refused::Internal)) })
    }
}

/// A room has been idle for its linger.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Empty {
    /// Which.
    pub room: RoomId,
    /// Which actor of it.
    pub generation: u64,
    /// Errands that it got.
    pub forwarded: u64,
}

impl Handler<Empty> for Registry {
    type Result = ();

    #[expect(clippy::disallowed_methods, reason = "one a room")]
    fn handle(&mut self, empty: Empty, ctx: &mut Self::Context) {
        if let Some(handle) = self.directory.retire(empty.room, empty.generation, empty.forwarded) {
            handle.addr.do_send(Retire);
            self.bus.unsubscribe(empty.room);
            let (store, now) = (self.store.clone(), clock::now());
            let noting = async move {
                if let Err(error) = store.room_left(empty.room, now).await {
                    log::warn!(
                        "room {}: that it was left could not be stored: {error}",
                        empty.room
                    );
                }
            };
            ctx.spawn(noting.into_actor(self));
        }
    }
}

/// A room's actor ended. When the registry did not want that, it makes the room anew.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Died {
    /// Which.
    pub room: RoomId,
    /// Which actor of it.
    pub generation: u64,
}

impl Handler<Died> for Registry {
    type Result = ();

    fn handle(&mut self, Died { room, generation }: Died, ctx: &mut Self::Context) {
        if self.directory.bury(room, generation) {
            log::error!("room {room}: its actor died and is made anew");
            self.starting.entry(room).or_default();
            self.begin(room, None, true, ctx);
        }
    }
}
