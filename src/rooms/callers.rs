//! Native sockets on one worker, by who is behind them: they hear of their user's chats, and of
//! who is online, in rooms too that they have not joined. Part of the worker's Shard.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use actix::prelude::*;

use crate::domain::{LoginId, RoomId, UserCard, UserId, clock};
use crate::protocol::Frame;
use crate::protocol::native::{self, ChatAction};

use super::OnlineUser;
use super::fanout::Shard;
use super::gauge::Online;
use super::outlet::{self, Slot};
use super::shards::{ShardHandle, Whose};

/// Who is behind a native socket.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// None for a guest, and before the first frame decided.
    pub card: Option<Arc<UserCard>>,
    /// The login that it lives by.
    pub login: Option<LoginId>,
}

impl Caller {
    fn user(&self) -> Option<UserId> {
        self.card.as_ref().map(|card| UserId(card.id))
    }
}

/// The native sockets of a worker.
#[derive(Default)]
pub struct Callers {
    each: HashMap<Slot, Caller>,
    by_user: HashMap<UserId, Vec<Slot>>,
    watchers: HashSet<Slot>,
    told: BTreeMap<i64, String>,
}

impl Callers {
    /// Whoever has a socket is online, in a room or not.
    fn put(&mut self, slot: Slot, caller: Caller, online: &Online) {
        if let Some(card) = &caller.card {
            online.came(card, clock::now());
        }
        self.take_out(slot, online);
        if let Some(user) = caller.user() {
            self.by_user.entry(user).or_default().push(slot);
        }
        self.each.insert(slot, caller);
    }

    fn take_out(&mut self, slot: Slot, online: &Online) {
        let Some(user) = self.each.remove(&slot).and_then(|caller| caller.user()) else { return };
        online.went(user, clock::now());
        if let Some(slots) = self.by_user.get_mut(&user) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.by_user.remove(&user);
            }
        }
    }

    /// Those whom an act is about.
    #[must_use]
    pub fn slots_of(&self, whose: &Whose) -> Vec<Slot> {
        let fits = |caller: &Caller| whose.fits(caller.user(), caller.login);
        self.each.iter().filter(|(_, caller)| fits(caller)).map(|(slot, _)| *slot).collect()
    }

    /// Whether anybody wants to know who is online.
    #[must_use]
    pub fn anybody_watches(&self) -> bool {
        !self.watchers.is_empty()
    }

    /// Tells those who watch what changed since the last time.
    pub fn tell_people(&mut self, online: &[OnlineUser]) {
        let now: BTreeMap<_, _> =
            online.iter().map(|user| (user.id.0, user.username.clone())).collect();
        let new = |(id, _): &(&i64, &String)| !self.told.contains_key(id);
        let came: Vec<_> = now.iter().filter(new).map(|(id, name)| (*id, name.as_str())).collect();
        let went: Vec<_> = self.told.keys().filter(|id| !now.contains_key(id)).copied().collect();
        if !came.is_empty() || !went.is_empty() {
            let frame = native::people(&came, &went, clock::now());
            self.watchers.iter().for_each(|slot| tell(*slot, &frame));
        }
        self.told = now;
    }

    fn watch(&mut self, slot: Slot, online: &[OnlineUser]) {
        if self.watchers.is_empty() {
            self.told = online.iter().map(|user| (user.id.0, user.username.clone())).collect();
        }
        if self.watchers.insert(slot) {
            let all: Vec<_> = self.told.iter().map(|(id, name)| (*id, name.as_str())).collect();
            tell(slot, &native::people(&all, &[], clock::now()));
        }
    }
}

/// Light: who has much waiting does without.
fn tell(slot: Slot, frame: &Frame) {
    if let Some(outlet) = outlet::find(slot)
        && !outlet.backlog().is_too_much_for_light()
    {
        outlet.deliver(std::slice::from_ref(frame), None);
    }
}

impl ShardHandle {
    /// A native socket is there, or somebody else is behind it now.
    #[expect(clippy::disallowed_methods, reason = "one a socket, and one a renewal")]
    pub fn call_in(&self, slot: Slot, caller: Caller) {
        self.addr.do_send(CallIn { slot, caller });
    }

    /// A native socket is gone.
    #[expect(clippy::disallowed_methods, reason = "one a socket")]
    pub fn call_off(&self, slot: Slot) {
        self.addr.do_send(CallOff(slot));
    }

    /// Tells it who is online from now on, all of them first; or no longer.
    pub fn watch(&self, slot: Slot, on: bool) {
        // Light, and asked for: a Shard that is busy has better things to do.
        drop(self.addr.try_send(Watch { slot, on }));
    }

    /// Tells users' native sockets something of one of their chats.
    #[expect(
        clippy::disallowed_methods,
        reason = "one a second a chat, and one a change of members"
    )]
    pub fn tell_chat(&self, news: ChatNews) {
        self.addr.do_send(news);
    }
}

/// Something of a chat, for those whose it is.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ChatNews {
    /// Which.
    pub chat: RoomId,
    /// What.
    pub action: ChatAction,
    /// Its newest event.
    pub seq: i64,
    /// Whose it is, and how much each has not read.
    pub whose: Arc<[(UserId, i64)]>,
}

impl Handler<ChatNews> for Shard {
    type Result = ();

    fn handle(&mut self, news: ChatNews, _: &mut Self::Context) {
        for (user, unread) in news.whose.iter() {
            let Some(slots) = self.callers.by_user.get(user) else { continue };
            let frame = native::chats(news.chat, news.action, news.seq, *unread);
            for slot in slots {
                tell(*slot, &frame);
            }
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct CallIn {
    slot: Slot,
    caller: Caller,
}

impl Handler<CallIn> for Shard {
    type Result = ();

    fn handle(&mut self, CallIn { slot, caller }: CallIn, _: &mut Self::Context) {
        if outlet::find(slot).is_some() {
            let (user, login) = (caller.user(), caller.login);
            self.callers.put(slot, caller, &self.online);
            self.turn_away_if_acted_upon(slot, user, login);
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct CallOff(Slot);

impl Handler<CallOff> for Shard {
    type Result = ();

    fn handle(&mut self, CallOff(slot): CallOff, _: &mut Self::Context) {
        self.callers.watchers.remove(&slot);
        self.callers.take_out(slot, &self.online);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Watch {
    slot: Slot,
    on: bool,
}

impl Handler<Watch> for Shard {
    type Result = ();

    fn handle(&mut self, Watch { slot, on }: Watch, _: &mut Self::Context) {
        if on {
            self.callers.watch(slot, &self.online.list());
        } else {
            self.callers.watchers.remove(&slot);
        }
    }
}
