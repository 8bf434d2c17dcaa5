//! Acts on users and logins, kicks, announcements: events of one hidden room that every node follows. An act is stored
//! first, then carried out on whatever sockets live here; what another process stored (`hubbub
//! user disable`) is found by looking again every five seconds.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::bus::{Bus, Health};
use crate::domain::{
    Author, Event, EventId, EventKind, LoginId, NewEvent, Record, RoomId, Timestamp, UserId, Whom,
    clock, ids,
};
use crate::protocol::close;
use crate::store::{Append, CONTROL_ROOM, Committed, Outcome, Store};

use super::Refused;
use super::directory::Directory;
use super::membership::Reload;
use super::moderating::{Kick, announce};
use super::shards::{Shards, Whose};

/// How often the room is looked at for what others stored (DESIGN, *The position check*).
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often while no other node can say that there is something.
const LOOK_WHILE_DOWN: Duration = Duration::from_millis(500);
/// Acts read at a time.
const PAGE: u64 = 500;
/// Bytes of acts read at a time.
const PAGE_BYTES: usize = 256 * 1_024;

/// An act on users or logins.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// These logins have ended: their sockets close (4001 on plain sockets).
    LoginsEnded {
        /// Which.
        logins: Vec<LoginId>,
    },
    /// The account is off: its sockets close.
    UserDisabled {
        /// Whose.
        user: UserId,
    },
    /// It is on again: new sockets are let in.
    UserEnabled {
        /// Whose.
        user: UserId,
    },
    /// What is kept was replaced: what clients hold is of another life.
    EpochsChanged,
    /// Sockets lose a room (4403); whoever is behind them may come again.
    Kicked {
        /// Which room.
        room: RoomId,
        /// Whose sockets.
        whom: Whom,
    },
    /// An admin says something to native sockets.
    Announced {
        /// What.
        message: String,
        /// To those in this room; none: to all.
        room: Option<RoomId>,
        /// When.
        at: Timestamp,
    },
}

/// Follows the hidden room.
pub struct Control {
    store: Store,
    bus: Bus,
    shards: Shards,
    directory: Arc<Directory>,
    /// Newest act that was carried out.
    head: i64,
    waiting: Vec<(EventId, oneshot::Sender<Result<(), Refused>>)>,
    /// Stored, and answered once they are carried out here.
    stored: Vec<(i64, oneshot::Sender<Result<(), Refused>>)>,
    looking: bool,
    look_again: bool,
}

impl Control {
    /// Starts after `head`, the newest act before there was any socket to close.
    #[must_use]
    pub fn new(
        store: Store,
        bus: Bus,
        shards: Shards,
        directory: Arc<Directory>,
        head: i64,
    ) -> Self {
        Self {
            store,
            bus,
            shards,
            directory,
            head,
            waiting: Vec::new(),
            stored: Vec::new(),
            looking: false,
            look_again: false,
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.looking, true) {
            self.look_again = true;
            return;
        }
        let (store, head) = (self.store.clone(), self.head);
        let reading = async move { store.events_after(CONTROL_ROOM, head, PAGE, PAGE_BYTES).await };
        ctx.spawn(reading.into_actor(self).map(|read, control, ctx| {
            control.looking = false;
            match read {
                Ok(acts) => {
                    control.head = acts.last().map_or(control.head, |act| act.seq);
                    for event in &acts {
                        control.carry_out(event);
                    }
                    control.answer_up_to(control.head);
                    if std::mem::take(&mut control.look_again) || !acts.is_empty() {
                        control.look(ctx);
                    }
                }
                Err(error) => {
                    log::warn!("acts could not be read, again in 5 s: {error}");
                    control.answer_up_to(i64::MAX);
                }
            }
        }));
    }

    /// Each room finds its new epoch, and tells its sockets.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    fn reload_rooms(&self) {
        for room in self.directory.handles() {
            self.directory.send(room.id, |room| {
                room.addr.do_send(Reload);
                true
            });
        }
    }

    fn carry_out(&self, event: &Event) {
        let (whose, code) = match serde_json::from_str(&event.content) {
            Ok(Act::LoginsEnded { logins }) => (Whose::Logins(logins.into()), close::SIGNED_OUT),
            Ok(Act::UserDisabled { user }) => (Whose::User(user), close::SIGNED_OUT),
            Ok(Act::UserEnabled { user }) => {
                self.shards.all().iter().for_each(|shard| shard.pardon(user));
                return;
            }
            Ok(Act::EpochsChanged) => return self.reload_rooms(),
            Ok(Act::Kicked { room, whom }) => return self.kick(room, whom),
            Ok(Act::Announced { message, room, at }) => {
                return announce(&self.shards, &self.directory, &message, room, at);
            }
            Err(_) => {
                log::warn!("act {} is of a kind this version does not know", event.id);
                return;
            }
        };
        for shard in self.shards.all() {
            shard.close_where(whose.clone(), code);
        }
    }
}

impl Control {
    fn answer_up_to(&mut self, head: i64) {
        for (_, answer) in self.stored.extract_if(.., |(seq, _)| *seq <= head) {
            // Who asked may be gone.
            let _ = answer.send(Ok(()));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "one an act")]
    fn kick(&self, room: RoomId, whom: Whom) {
        self.directory.send(room, |handle| {
            handle.addr.do_send(Kick(whom));
            true
        });
    }
}

impl Actor for Control {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK_EVERY, Self::look);
        if !self.bus.is_alone() {
            ctx.run_interval(LOOK_WHILE_DOWN, |control, ctx| {
                if control.bus.health() == Health::Down {
                    control.look(ctx);
                }
            });
        }
    }
}

/// Another node stored an act.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LookNow;

impl Handler<LookNow> for Control {
    type Result = ();

    fn handle(&mut self, _: LookNow, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

/// Stores an act and carries it out.
#[derive(Message)]
#[rtype(result = "Result<(), Refused>")]
pub struct Perform {
    /// Whose act.
    pub by: UserId,
    /// What.
    pub act: Act,
    /// Of an admin's act that writes nothing else: what is recorded of it.
    pub record: Option<Box<Record>>,
}

impl Handler<Perform> for Control {
    type Result = ResponseFuture<Result<(), Refused>>;

    fn handle(&mut self, asked: Perform, ctx: &mut Self::Context) -> Self::Result {
        let Perform { by, act, record } = asked;
        let Some(permit) = self.store.writer().try_permit() else {
            return Box::pin(async { Err(Refused::Busy) });
        };
        let now = clock::now();
        let event = NewEvent {
            id: EventId(ids::at(now)),
            room: CONTROL_ROOM,
            kind: EventKind::Act,
            author: Author::User(by),
            sender: None,
            nick_name: None,
            content: serde_json::to_string(&act).unwrap_or_default(),
            raw: None,
            target: None,
            client_id: None,
            created_at: now,
        };
        let (sender, receiver) = oneshot::channel();
        self.waiting.push((event.id, sender));
        let reply = ctx.address().recipient();
        self.store.writer().append(Append {
            event,
            member_rev: 0,
            may_moderate: false,
            record,
            permit,
            reply,
        });
        Box::pin(async { receiver.await.unwrap_or(Err(Refused::Internal)) })
    }
}

impl Handler<Committed> for Control {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        for (id, outcome) in committed.outcomes {
            let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == id) else {
                continue;
            };
            let (_, answer) = self.waiting.swap_remove(at);
            let refused = match outcome {
                Outcome::Stored(seq) => {
                    self.bus.control(seq);
                    self.stored.push((seq, answer));
                    continue;
                }
                Outcome::Unknown => Refused::UnknownOutcome,
                _ => Refused::Internal,
            };
            // Who asked may be gone.
            let _ = answer.send(Err(refused));
        }
        self.look(ctx);
    }
}
