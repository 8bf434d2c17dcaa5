//! The handle on all rooms that `http/`, `session/` and `stats/` hold. Cheap to clone; it decides
//! nothing, it finds the actor that does.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::bus::{BadUrl, Bus};
use crate::config::{SessionSettings, Settings};
use crate::domain::nodes::{ChatAction, ChatNews, Hint};
use crate::domain::{
    Deed, EventKind, NodeId, Posted, Record, RoomId, RoomName, SessionId, Timestamp, UserId, clock,
};
use crate::protocol::CloseCode;
use crate::store::{CONTROL_ROOM, MemberChange, Store, StoreError};

use super::admission::Admission;
use super::chats;
use super::control::{Control, Perform};
use super::directory::Directory;
use super::gathering::{Gathered, Readings};
use super::gauge::Online;
use super::joining::{Join, Leave};
use super::membership::{ChangeMember, Reload};
use super::nodes::{Asked, Ears};
use super::posting::Post as Posting;
use super::registry::{Bring, CloseNow, LeaveLater, Registry};
use super::room::RoomHandle;
use super::shards::{Shards, Whose};
use super::shedding::Forget;
use super::ticket::Ticket;
use super::{Act, Post, Refused};

/// How often a room may vanish under a caller before he is told that it is busy.
const TRIES: usize = 3;
/// Why rooms can't be.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What is kept can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Other nodes can't be reached by this.
    #[error("REDIS_URL: {0}")]
    Bus(#[from] BadUrl),
}

/// The handle on all rooms.
#[derive(Clone)]
pub struct Rooms(Arc<Reach>);

/// What the handle reaches: a clone of an address costs an allocation, and each socket holds the
/// handle.
pub struct Reach {
    pub(super) store: Store,
    pub(super) directory: Arc<Directory>,
    registry: Addr<Registry>,
    control: Addr<Control>,
    pub(super) shards: Shards,
    pub(super) bus: Bus,
    questions: Mutex<mpsc::Receiver<Asked>>,
    pub(super) online: Arc<Online>,
    pub(super) refusals: AtomicU64,
    pub(super) readings: Readings,
    pub(super) gathered: Mutex<Option<Gathered>>,
    pub(super) node: Arc<str>,
}

impl Deref for Rooms {
    type Target = Reach;

    fn deref(&self) -> &Reach {
        &self.0
    }
}

impl Rooms {
    /// Starts the registry, `control` and the way to other nodes on this thread. The Shards are
    /// started by each worker.
    ///
    /// # Errors
    /// When the store can't be read, or the way to the others can't be one.
    pub async fn start(store: Store, settings: &Settings, node: &str) -> Result<Self, StartError> {
        let (directory, online) = (Arc::<Directory>::default(), Arc::<Online>::default());
        let shards = Shards::default();
        let head = store.room(CONTROL_ROOM).await?.map_or(0, |room| room.last_seq);
        let (ears, questions) = Ears::new(Arc::clone(&directory), shards.clone());
        let name = NodeId::from(node);
        let bus = if settings.has_other_nodes() {
            Bus::start(&settings.bus, &name, Arc::clone(&ears))?
        } else {
            Bus::alone(&name)
        };
        online.tell(&bus);
        let registry = Registry::new(
            store.clone(),
            settings.rooms.clone(),
            settings.faults.clone(),
            Arc::clone(&directory),
            shards.clone(),
            Arc::clone(&online),
            bus.clone(),
        )
        .start();
        let control =
            Control::new(store.clone(), bus.clone(), shards.clone(), Arc::clone(&directory), head)
                .start();
        ears.heard_by(control.clone());
        Ok(Self(Arc::new(Reach {
            store,
            directory,
            registry,
            control,
            shards,
            bus,
            questions: Mutex::new(questions),
            online,
            refusals: AtomicU64::default(),
            readings: Readings::default(),
            gathered: Mutex::default(),
            node: node.into(),
        })))
    }

    /// The way to other nodes.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The next question of another node; none once there can be no more.
    pub async fn next_question(&self) -> Option<Asked> {
        self.questions.lock().await.recv().await
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
    ) -> Result<Arc<RoomHandle>, Refused> {
        for _ in 0..TRIES {
            if let Some(handle) = self.directory.send(room, &mut errand) {
                return Ok(handle);
            }
            let bring = Bring { room, on: Shards::here() };
            // In a box: nearly always the room is live.
            Box::pin(self.registry.send(bring)).await.map_err(|_| Refused::Internal)??;
        }
        Err(Refused::Busy)
    }

    /// Seats a socket. The handle is where its posts go.
    ///
    /// # Errors
    /// `NotFound` when the room was closed meanwhile, `Busy` when it could not be started.
    #[expect(clippy::disallowed_methods, reason = "one a socket")]
    pub async fn enter(&self, room: RoomId, join: Join) -> Result<Arc<RoomHandle>, Refused> {
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

    /// A room's handle, started when it wasn't live.
    ///
    /// # Errors
    /// As for [`Rooms::enter`].
    pub async fn find(&self, room: RoomId) -> Result<Arc<RoomHandle>, Refused> {
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
    pub async fn post(&self, room: RoomId, post: Post) -> Result<Posted, Refused> {
        let bytes = post.content.len() + post.raw.as_ref().map_or(0, String::len);
        let posting = |admission, ticket| Posting {
            author: post.by.author(),
            from: None,
            record: None,
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
        };
        self.hand_in(room, bytes, posting).await
    }

    /// Hands a room something to store, once there is a place for so many bytes of it.
    #[expect(clippy::disallowed_methods, reason = "posts hold permits")]
    pub(super) async fn hand_in(
        &self,
        room: RoomId,
        bytes: usize,
        posting: impl FnOnce(Admission, Ticket) -> Posting,
    ) -> Result<Posted, Refused> {
        let (ticket, answer) = Ticket::of_caller();
        let (mut parts, mut is_full) = (Some((posting, ticket)), false);
        self.reach(room, |handle| {
            let Some(admission) = handle.gate.try_admit(bytes) else {
                is_full = true;
                return false;
            };
            let Some((posting, ticket)) = parts.take() else { return false };
            handle.addr.do_send(posting(admission, ticket));
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
    pub async fn change_members(
        &self,
        room: RoomId,
        by: UserId,
        change: MemberChange,
    ) -> Result<(), Refused> {
        self.change_members_by(room, by, change, None).await
    }

    /// The same; an admin's `deed` is recorded, and bans are his alone.
    #[expect(clippy::disallowed_methods, reason = "changes of members hold permits")]
    pub(super) async fn change_members_by(
        &self,
        room: RoomId,
        by: UserId,
        change: MemberChange,
        deed: Option<Deed>,
    ) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        let (mut answer, mut is_full) = (Some(answer), false);
        self.reach(room, |handle| {
            let Some(admission) = handle.gate.try_admit(0) else {
                is_full = true;
                return false;
            };
            let Some(answer) = answer.take() else { return false };
            handle.addr.do_send(ChangeMember { by, change, deed, admission, answer });
            true
        })
        .await?;
        if is_full { Err(Refused::Busy) } else { answered.await.unwrap_or(Err(Refused::Internal)) }
    }

    /// Closes the room for good (the caller has checked who may): its row, then its sockets with
    /// 4404. An admin's `deed` is recorded. False when it was closed before.
    ///
    /// # Errors
    /// When the store does not answer.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub async fn close(&self, room: RoomId, deed: Option<&Deed>) -> Result<bool, Refused> {
        let closed = self.store.close_room(room, clock::now(), deed).await.map_err(|error| {
            log::error!("room {room}: it could not be closed: {error}");
            Refused::Busy
        })?;
        self.directory.release_name(room);
        self.registry.do_send(CloseNow(room));
        self.bus.publish(room, Hint::Reload);
        if closed {
            match self.store.members(room).await {
                Ok(members) => {
                    let whose: Vec<_> =
                        members.iter().map(|member| UserId(member.card.id)).collect();
                    self.tell_chat(room, ChatAction::Removed, &whose);
                }
                Err(error) => {
                    log::warn!("room {room}: its members were not told of its end: {error}");
                }
            }
        }
        Ok(closed)
    }

    /// What is older was deleted from the store: no live room shows it any longer.
    #[expect(clippy::disallowed_methods, reason = "one an hour")]
    pub fn forget(&self, before: Timestamp) {
        self.directory.handles().iter().for_each(|room| room.addr.do_send(Forget(before)));
    }

    /// The room's row changed: a live room reads it anew, on whichever node.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub fn reload(&self, room: RoomId) {
        self.bus.publish(room, Hint::Reload);
        self.directory.send(room, |handle| {
            handle.addr.do_send(Reload);
            true
        });
    }

    /// Tells users' native sockets that a chat is theirs now.
    pub fn tell_new_chat(&self, chat: RoomId, whose: &[UserId]) {
        self.tell_chat(chat, ChatAction::Added, whose);
    }

    fn tell_chat(&self, chat: RoomId, action: ChatAction, whose: &[UserId]) {
        let whose: Vec<_> = whose.iter().map(|user| (*user, 0)).collect();
        chats::tell(&self.shards, &self.bus, ChatNews { chat, action, seq: 0, whose }, true);
    }

    /// Stores the act in `control` and carries it out on live sockets.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn act(&self, by: UserId, act: Act) -> Result<(), Refused> {
        self.perform(by, act, None).await
    }

    /// The same; of an admin's act that is stored nowhere else with its record.
    pub(super) async fn perform(
        &self,
        by: UserId,
        act: Act,
        record: Option<Record>,
    ) -> Result<(), Refused> {
        let record = record.map(Box::new);
        self.control.send(Perform { by, act, record }).await.unwrap_or(Err(Refused::Internal))
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
        self.online.note_gone(&self.store).await;
    }

    /// Counts a refused handshake or post.
    pub fn count_refusal(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }
}
