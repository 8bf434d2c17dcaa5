//! Acts on users and logins: events of one hidden room that every node follows. An act is stored
//! first, then carried out on whatever sockets live here; what another process stored (`hubbub
//! user disable`) is found by looking again every five seconds.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::domain::{Author, Event, EventId, EventKind, LoginId, NewEvent, UserId, clock, ids};
use crate::protocol::close;
use crate::store::{Append, CONTROL_ROOM, Committed, Outcome, Store};

use super::Refused;
use super::shards::{Shards, Whose};

/// How often the room is looked at for what others stored (DESIGN, *The position check*).
const LOOK_EVERY: Duration = Duration::from_secs(5);
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
}

/// Follows the hidden room.
pub struct Control {
    store: Store,
    shards: Shards,
    /// Newest act that was carried out.
    head: i64,
    waiting: Vec<(EventId, oneshot::Sender<Result<(), Refused>>)>,
    looking: bool,
    look_again: bool,
}

impl Control {
    /// Starts after `head`, the newest act before there was any socket to close.
    #[must_use]
    pub const fn new(store: Store, shards: Shards, head: i64) -> Self {
        Self { store, shards, head, waiting: Vec::new(), looking: false, look_again: false }
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
                    if std::mem::take(&mut control.look_again) || !acts.is_empty() {
                        control.look(ctx);
                    }
                }
                Err(error) => log::warn!("acts could not be read, again in 5 s: {error}"),
            }
        }));
    }

    fn carry_out(&self, event: &Event) {
        let (whose, code) = match serde_json::from_str(&event.content) {
            Ok(Act::LoginsEnded { logins }) => (Whose::Logins(logins.into()), close::SIGNED_OUT),
            Ok(Act::UserDisabled { user }) => (Whose::User(user), close::SIGNED_OUT),
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

impl Actor for Control {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK_EVERY, Self::look);
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
}

impl Handler<Perform> for Control {
    type Result = ResponseFuture<Result<(), Refused>>;

    fn handle(&mut self, Perform { by, act }: Perform, ctx: &mut Self::Context) -> Self::Result {
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
            let answer = match outcome {
                Outcome::Stored(_) | Outcome::Duplicate(_) => Ok(()),
                Outcome::Unknown => Err(Refused::UnknownOutcome),
                _ => Err(Refused::Internal),
            };
            if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == id) {
                let _ = self.waiting.swap_remove(at).1.send(answer);
            }
        }
        self.look(ctx);
    }
}
