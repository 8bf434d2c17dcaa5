//! Native sockets on one worker, by who is behind them: they hear of their user's chats, and of
//! who is online, in rooms too that they have not joined. Part of the worker's Shard.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actix::prelude::*;

use crate::domain::{LoginId, UserCard, UserId, clock};
use crate::protocol::Frame;
use crate::protocol::native;

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

/// Who is online, by id.
type People = BTreeMap<i64, String>;

/// The native sockets of a worker.
#[derive(Default)]
pub struct Callers {
    each: HashMap<Slot, Caller>,
    by_user: HashMap<UserId, Vec<Slot>>,
    /// Who wants to know who is online, and what he knows of it when that is not the newest.
    watchers: HashMap<Slot, Option<Arc<People>>>,
    told: Arc<People>,
}

impl Callers {
    /// Whoever has a socket is online, in a room or not.
    fn put(&mut self, slot: Slot, caller: Caller, online: &Online) {
        if let Some(card) = &caller.card {
            online.called_in(card, clock::now());
        }
        self.take_out(slot, online);
        if let Some(user) = caller.user() {
            self.by_user.entry(user).or_default().push(slot);
        }
        self.each.insert(slot, caller);
    }

    fn take_out(&mut self, slot: Slot, online: &Online) {
        let Some(user) = self.each.remove(&slot).and_then(|caller| caller.user()) else { return };
        online.called_off(user, clock::now());
        if let Some(slots) = self.by_user.get_mut(&user) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.by_user.remove(&user);
            }
        }
    }

    /// A user's sockets.
    pub(super) fn slots(&self, user: UserId) -> &[Slot] {
        self.by_user.get(&user).map_or(&[], Vec::as_slice)
    }

    /// Those whom an act is about.
    #[must_use]
    pub fn slots_of(&self, whose: &Whose) -> Vec<Slot> {
        let fits = |caller: &Caller| whose.fits(caller.user(), caller.login);
        self.each.iter().filter(|(_, caller)| fits(caller)).map(|(slot, _)| *slot).collect()
    }

    fn tell_people(&mut self, online: &[OnlineUser]) {
        let now = people(online);
        if *now == *self.told {
            return;
        }
        let before = std::mem::replace(&mut self.told, now);
        let frame = change(&before, &self.told);
        for (slot, knows) in &mut self.watchers {
            if knows.is_none() && !tell_if_it_reads(*slot, &frame) {
                *knows = Some(Arc::clone(&before));
            }
        }
    }

    /// Tells those who missed something what is new to them.
    fn tell_those_behind(&mut self) {
        for (slot, knows) in &mut self.watchers {
            if let Some(known) = knows
                && tell_if_it_reads(*slot, &change(known, &self.told))
            {
                *knows = None;
            }
        }
    }

    /// Tells those who watch what changed since the last time.
    pub fn make_good(&mut self, online: &Online) {
        if !self.watchers.is_empty() {
            self.tell_people(&online.everywhere());
            self.tell_those_behind();
        }
    }

    fn watch(&mut self, slot: Slot, online: &[OnlineUser]) {
        if self.watchers.is_empty() {
            self.told = people(online);
        }
        self.watchers.insert(slot, Some(Arc::default()));
        self.tell_those_behind();
    }
}

fn people(online: &[OnlineUser]) -> Arc<People> {
    Arc::new(online.iter().map(|user| (user.id.0, user.username.clone())).collect())
}

/// What somebody must be told who knows `before`.
fn change(before: &People, now: &People) -> Frame {
    let is_new = |(id, _): &(&i64, &String)| !before.contains_key(id);
    let came: Vec<_> = now.iter().filter(is_new).map(|(id, name)| (*id, name.as_str())).collect();
    let went: Vec<_> = before.keys().filter(|id| !now.contains_key(id)).copied().collect();
    native::people(&came, &went, clock::now())
}

/// Light: whether the socket reads well enough to get it.
pub(super) fn tell_if_it_reads(slot: Slot, frame: &Frame) -> bool {
    let Some(outlet) = outlet::find(slot) else { return false };
    let reads = !outlet.backlog().is_too_much_for_light();
    if reads {
        outlet.deliver(std::slice::from_ref(frame), None);
    }
    reads
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
    #[expect(clippy::disallowed_methods, reason = "one a request, and requests have a pace")]
    pub fn watch(&self, slot: Slot, on: bool) {
        self.addr.do_send(Watch { slot, on });
    }

    /// Tells all native sockets an admin's word.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub fn announce(&self, frame: Frame) {
        self.addr.do_send(Announce(frame));
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Announce(Frame);

impl Handler<Announce> for Shard {
    type Result = ();

    fn handle(&mut self, Announce(frame): Announce, _: &mut Self::Context) {
        for outlet in self.callers.each.keys().filter_map(|slot| outlet::find(*slot)) {
            outlet.deliver(std::slice::from_ref(&frame), None);
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
            self.callers.watch(slot, &self.online.everywhere());
        } else {
            self.callers.watchers.remove(&slot);
        }
    }
}
