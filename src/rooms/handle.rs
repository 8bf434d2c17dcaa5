//! The handle on all rooms that `http/`, `session/` and `stats/` hold. Cheap to clone; it decides
//! nothing, it finds the actor that does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;
use tokio::sync::{Mutex, oneshot};

use crate::config::{RoomSettings, SessionSettings};
use crate::domain::figures::{Durations, Load, Rate, RoomDetail, RoomLoad};
use crate::domain::{EventKind, Posted, RoomId, RoomName, SessionId, Timestamp, UserId, clock};
use crate::protocol::CloseCode;
use crate::protocol::native::ChatAction;
use crate::store::{CONTROL_ROOM, MemberChange, Store, StoreError};

use super::callers::ChatNews;
use super::control::{Control, Perform};
use super::directory::Directory;
use super::fanout::{Shards, Whose};
use super::figures::{RoomSnapshot, session_row};
use super::gauge::Online;
use super::group::GroupFigures;
use super::joining::{Join, Leave};
use super::membership::{ChangeMember, Reload};
use super::posting::Post as Posting;
use super::registry::{Bring, CloseNow, LeaveLater, Registry, note_gone};
use super::room::{RoomHandle, Snapshot};
use super::ticket::Ticket;
use super::{Act, LiveRoom, OnlineUser, Post, Refused};

/// How often a room may vanish under a caller before he is told that it is busy.
const TRIES: usize = 3;
/// Figures are gathered at most once in this time, whoever asks.
const FIGURES_LAST_MICROS: u64 = 1_000_000;

/// The handle on all rooms.
#[derive(Clone)]
pub struct Rooms {
    store: Store,
    directory: Arc<Directory>,
    registry: Addr<Registry>,
    control: Addr<Control>,
    shards: Shards,
    online: Arc<Online>,
    refusals: Arc<AtomicU64>,
    gathered: Arc<Mutex<Option<Gathered>>>,
    node: Arc<str>,
}

/// All rooms' figures at one moment.
#[derive(Clone)]
struct Gathered {
    at: Timestamp,
    rooms: Arc<Vec<RoomLoad>>,
    total: Load,
}

impl Rooms {
    /// Starts the registry and `control` on this thread. The Shards are started by each worker.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn start(
        store: Store,
        settings: &RoomSettings,
        node: &str,
    ) -> Result<Self, StoreError> {
        let (directory, online) = (Arc::<Directory>::default(), Arc::<Online>::default());
        let shards = Shards::default();
        let head = store.room(CONTROL_ROOM).await?.map_or(0, |room| room.last_seq);
        let registry = Registry::new(
            store.clone(),
            settings.clone(),
            Arc::clone(&directory),
            shards.clone(),
            Arc::clone(&online),
        )
        .start();
        let control = Control::new(store.clone(), shards.clone(), head).start();
        Ok(Self {
            store,
            directory,
            registry,
            control,
            shards,
            online,
            refusals: Arc::default(),
            gathered: Arc::default(),
            node: node.into(),
        })
    }

    /// This node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Starts the Shard of this thread's worker.
    pub fn start_shard(&self, limits: &SessionSettings) {
        self.shards.start_here(limits, &self.online);
    }

    /// The room's handle, started when it wasn't live; `errand` is handed over as
    /// [`Directory::send`] wants it.
    async fn reach(
        &self,
        room: RoomId,
        mut errand: impl FnMut(&RoomHandle) -> bool,
    ) -> Result<RoomHandle, Refused> {
        for _ in 0..TRIES {
            if let Some(handle) = self.directory.send(room, &mut errand) {
                return Ok(handle);
            }
            let on = Shards::here();
            self.registry.send(Bring { room, on }).await.map_err(|_| Refused::Internal)??;
        }
        Err(Refused::Busy)
    }

    /// Seats a socket. The handle is where its posts go.
    ///
    /// # Errors
    /// `NotFound` when the room was closed meanwhile, `Busy` when it could not be started.
    #[expect(clippy::disallowed_methods, reason = "one a socket")]
    pub async fn enter(&self, room: RoomId, join: Join) -> Result<RoomHandle, Refused> {
        let mut join = Some(join);
        self.reach(room, |handle| join.take().map(|join| handle.addr.do_send(join)).is_some()).await
    }

    /// A socket leaves its room, also one that is just being made anew. Said twice, it is one.
    #[expect(clippy::disallowed_methods, reason = "at most two a session")]
    pub fn leave(&self, room: RoomId, session: SessionId) {
        let leave = |handle: &RoomHandle| {
            handle.addr.do_send(Leave(session));
            false
        };
        if self.directory.send(room, leave).is_none() {
            self.registry.do_send(LeaveLater { room, session });
        }
    }

    /// A room's handle after its actor died.
    ///
    /// # Errors
    /// As for [`Rooms::enter`].
    pub async fn find(&self, room: RoomId) -> Result<RoomHandle, Refused> {
        self.reach(room, |_| false).await
    }

    /// A live named room: its id, and whether a guest made it.
    #[must_use]
    pub fn live_named(&self, name: &RoomName) -> Option<(RoomId, bool)> {
        self.directory.named(name)
    }

    /// Stores a message and sends it to the room's sockets; answers once it is stored.
    ///
    /// # Errors
    /// Why it was not, or may not have been, stored.
    #[expect(clippy::disallowed_methods, reason = "posts hold permits")]
    pub async fn post(&self, room: RoomId, post: Post) -> Result<Posted, Refused> {
        let bytes = post.content.len() + post.raw.as_ref().map_or(0, String::len);
        let (ticket, answer) = Ticket::of_caller();
        let (mut parts, mut is_full) = (Some((post, ticket)), false);
        self.reach(room, |handle| {
            let Some(admission) = handle.gate.try_admit(bytes) else {
                is_full = true;
                return false;
            };
            let Some((post, ticket)) = parts.take() else { return false };
            handle.addr.do_send(Posting {
                author: post.by.author(),
                sender: post.by.card().cloned(),
                content: post.content,
                nick_name: post.nick_name,
                raw: post.raw,
                client_id: post.client_id,
                kind: EventKind::Message,
                target: None,
                admission,
                ticket,
                forwarded: true,
            });
            true
        })
        .await?;
        if is_full {
            self.count_refusal();
            return Err(Refused::Busy);
        }
        answer.await.unwrap_or(Err(Refused::Internal))
    }

    /// Adds or removes a member: checks what `by` may, tells the sockets, closes a removed
    /// member's with 4403. Nothing to change is `Ok` too.
    ///
    /// # Errors
    /// Why not.
    #[expect(clippy::disallowed_methods, reason = "changes of members hold permits")]
    pub async fn change_members(
        &self,
        room: RoomId,
        by: UserId,
        change: MemberChange,
    ) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        let (mut answer, mut is_full) = (Some(answer), false);
        self.reach(room, |handle| {
            let Some(admission) = handle.gate.try_admit(0) else {
                is_full = true;
                return false;
            };
            let Some(answer) = answer.take() else { return false };
            handle.addr.do_send(ChangeMember { by, change, admission, answer });
            true
        })
        .await?;
        if is_full { Err(Refused::Busy) } else { answered.await.unwrap_or(Err(Refused::Internal)) }
    }

    /// Closes the room for good (the caller has checked who may): its row, then its sockets with
    /// 4404. False when it was closed before.
    ///
    /// # Errors
    /// When the store does not answer.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub async fn close(&self, room: RoomId) -> Result<bool, Refused> {
        let closed = self.store.close_room(room, clock::now()).await.map_err(|error| {
            log::error!("room {room}: it could not be closed: {error}");
            Refused::Busy
        })?;
        self.directory.release_name(room);
        self.registry.do_send(CloseNow(room));
        Ok(closed)
    }

    /// The room's row changed: a live room reads it anew.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub fn reload(&self, room: RoomId) {
        self.directory.send(room, |handle| {
            handle.addr.do_send(Reload);
            true
        });
    }

    /// Tells users' native sockets that a chat is theirs now.
    pub fn tell_new_chat(&self, chat: RoomId, whose: &[UserId]) {
        let whose: Vec<_> = whose.iter().map(|user| (*user, 0)).collect();
        let news = ChatNews { chat, action: ChatAction::Added, seq: 0, whose: whose.into() };
        self.shards.all().iter().for_each(|shard| shard.tell_chat(news.clone()));
    }

    /// Stores the act in `control` and carries it out on live sockets.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn act(&self, by: UserId, act: Act) -> Result<(), Refused> {
        self.control.send(Perform { by, act }).await.unwrap_or(Err(Refused::Internal))
    }

    /// Closes every socket of this node.
    pub fn close_all(&self, code: CloseCode) {
        for shard in self.shards.all() {
            shard.close_where(Whose::All, code);
        }
    }

    /// The node stops: rooms end with their workers and are not made anew.
    pub async fn stop(&self) {
        self.directory.stop();
        note_gone(&self.store, &self.online).await;
    }

    /// Rooms with at least one socket, by name, then id.
    #[must_use]
    pub fn live(&self) -> Vec<LiveRoom> {
        self.directory.list()
    }

    /// Users with at least one socket, by id.
    #[must_use]
    pub fn online(&self) -> Vec<OnlineUser> {
        self.online.list()
    }

    /// Users who went offline just now, and when: the store learns of it a moment later.
    #[must_use]
    pub fn just_gone(&self) -> HashMap<UserId, Timestamp> {
        self.online.gone()
    }

    /// Counts a refused handshake or post.
    pub fn count_refusal(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// Every live room's own figures, asked of the rooms and Shards; at most one round a second,
    /// whoever asks. The time is when they were asked.
    pub async fn loads(&self) -> (Timestamp, Arc<Vec<RoomLoad>>) {
        let gathered = self.gathered().await;
        (gathered.at, gathered.rooms)
    }

    /// All rooms added up. `cpu_s` and `rss_bytes` are the process's and stay 0 here.
    pub async fn load(&self) -> (Timestamp, Load) {
        let gathered = self.gathered().await;
        (gathered.at, gathered.total)
    }

    /// One live room with its people and sockets, at most `limit` of each. None: it isn't live.
    pub async fn detail(&self, room: RoomId, limit: usize) -> Option<RoomDetail> {
        let handle = self.directory.send(room, |_| false)?;
        let snapshot = handle.addr.send(Snapshot { seats: limit }).await.ok()?;
        let (mut figures, mut looked) = (GroupFigures::default(), HashMap::new());
        for shard in self.shards.all() {
            if let Some(group) = shard.survey().await.get(&room) {
                figures.add(group);
            }
            let here: Vec<_> =
                snapshot.seats().iter().filter(|seat| seat.slot.worker == shard.worker).collect();
            let seen = shard.look(here.iter().map(|seat| seat.slot).collect()).await;
            looked.extend(here.into_iter().map(|seat| seat.session).zip(seen));
        }
        let row = |seat: &Arc<super::Seat>| {
            session_row(seat, looked.get(&seat.session).copied().unwrap_or_default(), &self.node)
        };
        Some(RoomDetail {
            load: snapshot.load(&figures, &self.node, clock::now()),
            users: snapshot.users().to_vec(),
            session_list: snapshot.seats().iter().map(row).collect(),
        })
    }

    async fn gathered(&self) -> Gathered {
        let mut gathered = self.gathered.lock().await;
        let now = clock::now();
        match &*gathered {
            Some(fresh) if now.micros_since(fresh.at) < FIGURES_LAST_MICROS => fresh.clone(),
            _ => gathered.insert(self.gather(now).await).clone(),
        }
    }

    async fn gather(&self, now: Timestamp) -> Gathered {
        let mut groups: HashMap<RoomId, GroupFigures> = HashMap::new();
        for shard in self.shards.all() {
            for (room, group) in shard.survey().await {
                groups.entry(room).or_default().add(&group);
            }
        }
        let (mut rooms, mut total) = (Vec::new(), Load::default());
        let (mut messages, mut delivered, mut fanout) =
            (Rate::default(), Rate::default(), Durations::default());
        for handle in self.directory.handles() {
            let Ok(snapshot) = handle.addr.send(Snapshot { seats: 0 }).await else { continue };
            let figures = groups.remove(&handle.id).unwrap_or_default();
            messages.merge(snapshot.messages());
            delivered.merge(figures.delivered);
            fanout.add(&figures.fanout);
            if let Some(load) = Self::live_load(&snapshot, &figures, &self.node, now) {
                total.rooms += 1;
                total.sessions += load.sessions;
                total.guests += snapshot.guests();
                total.queued_bytes += load.queued_bytes;
                total.slow_readers += load.slow_readers;
                rooms.push(load);
            }
        }
        total.users = self.online.count() as u64;
        total.messages_per_s = messages.per_second(now);
        total.deliveries_per_s = delivered.per_second(now);
        total.fanout_ms = fanout.percentiles();
        total.store_ms = self.store.writer().figures().store_time.percentiles();
        total.refused = self.refusals.load(Ordering::Relaxed);
        Gathered { at: now, rooms: Arc::new(rooms), total }
    }

    fn live_load(
        snapshot: &RoomSnapshot,
        figures: &GroupFigures,
        node: &str,
        now: Timestamp,
    ) -> Option<RoomLoad> {
        Some(snapshot.load(figures, node, now)).filter(|load| load.sessions > 0)
    }
}
