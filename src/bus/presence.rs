//! Who is where, as each node said it of itself: this node's own share and what it knows of the
//! others'. Pure: time comes from outside, as the time since the start.
//!
//! Each change of a node's share has a number, its `rev`. Others hear of a change as a [`Delta`],
//! which may be lost or late, and read the share itself ([`Snapshot`]) where their numbers do not
//! fit together. A node that is not heard of for [`GONE_AFTER`] is gone, unless nobody can be
//! heard: then what is known stays as it was.

use std::collections::btree_map::Entry as BTreeEntry;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::domain::nodes::{Moves, Present, RoomTag};
use crate::domain::{NodeId, RoomId, RoomKind, Timestamp, UserId};

use super::share::{Delta, Said, Share, Snapshot, Took, is_lobby, lobby};

/// A node whose heartbeat has not come for this long is gone.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

/// Everybody in a room, each user once whichever nodes he is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Users, by id, each with his sockets on all nodes.
    pub users: Vec<Present>,
    /// Guests.
    pub guests: u64,
    /// Sockets.
    pub sessions: u64,
    /// Nodes with a share in it, this one too, by name: users and guests there.
    pub nodes: Vec<(NodeId, u64, u64)>,
}

/// A room that somebody is in, on whichever node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSeen {
    /// Its id.
    pub room: RoomId,
    /// What lists show.
    pub tag: RoomTag,
    /// People, each once.
    pub active_users: u64,
    /// Sockets.
    pub sessions: u64,
}

/// What all nodes said.
#[derive(Debug)]
pub struct View {
    me: NodeId,
    own: Said,
    others: HashMap<NodeId, Said>,
    frozen: bool,
}

impl View {
    /// Nobody is anywhere yet.
    #[must_use]
    pub fn new(me: NodeId) -> Self {
        Self { me, own: Said::default(), others: HashMap::new(), frozen: false }
    }

    // ---- this node's own share

    /// Something changed in a room here; what to tell others.
    pub fn moved(&mut self, room: RoomId, tag: &RoomTag, moves: Moves) -> Delta {
        let before = self.own.rooms.get(&room).filter(|share| !share.is_empty());
        let delta = Delta {
            was: before.map_or(0, |share| share.rev),
            rev: self.own.floor + 1,
            tag: tag.clone(),
            came: moves.came,
            went: moves.went,
            guests: moves.guests,
            sessions: moves.sessions,
        };
        self.own.apply(room, delta.clone());
        self.own.floor = delta.rev;
        if self.own(room).is_none() {
            self.own.rooms.remove(&room);
        }
        delta
    }

    /// A user has a native socket here now, in whatever room, or no longer. Where it is noted.
    pub fn called(&mut self, user: Result<Present, UserId>) -> RoomId {
        let tag = RoomTag { kind: RoomKind::Control, name: None, by_guest: false };
        let (room, moves) = match user {
            Ok(came) => (lobby(came.id), Moves { came: vec![came], ..Moves::default() }),
            Err(went) => (lobby(went), Moves { went: vec![went], ..Moves::default() }),
        };
        self.moved(room, &tag, moves);
        room
    }

    /// All who are in a room here, whatever was said before; what to tell others, if anything.
    pub fn replaced(
        &mut self,
        room: RoomId,
        tag: &RoomTag,
        users: Vec<Present>,
        guests: u64,
        sessions: u64,
    ) -> Option<Delta> {
        let before = self.own.rooms.get(&room);
        let now: HashSet<UserId> = users.iter().map(|user| user.id).collect();
        let (mut went, mut came) = (Vec::new(), users);
        if let Some(before) = before {
            went.extend(before.users.keys().filter(|user| !now.contains(user)));
            came.retain(|user| {
                before.users.get(&user.id).is_none_or(|known| known.sessions != user.sessions)
            });
        }
        let same_counts = before.map_or((0, 0), |b| (b.guests, b.sessions)) == (guests, sessions);
        if came.is_empty() && went.is_empty() && same_counts {
            return None;
        }
        Some(self.moved(room, tag, Moves { came, went, guests, sessions }))
    }

    /// This node's share in a room, none when nobody is there.
    #[must_use]
    pub fn own(&self, room: RoomId) -> Option<&Share> {
        self.own.rooms.get(&room).filter(|share| !share.is_empty())
    }

    /// This node's shares.
    pub fn own_rooms(&self) -> impl Iterator<Item = (RoomId, &Share)> {
        self.own.live().map(|(room, share)| (*room, share))
    }

    /// Number of this node's last change.
    #[must_use]
    pub const fn own_rev(&self) -> u64 {
        self.own.floor
    }

    // ---- what others say

    /// A heartbeat: that run of the node is there, and its share up to `kept` can be read. The
    /// rooms whose people changed by it: those of an earlier run.
    pub fn heard(
        &mut self,
        node: &NodeId,
        started: i64,
        kept: u64,
        now: Duration,
        at: Timestamp,
    ) -> Vec<RoomId> {
        let said = self.others.entry(node.clone()).or_default();
        if started < said.started {
            return Vec::new();
        }
        let mut left = Vec::new();
        if started > said.started {
            left = said.live().map(|(room, _)| *room).collect();
            *said = Said { started, ..Said::default() };
        }
        (said.heard, said.as_of, said.kept) = (now, at, said.kept.max(kept));
        left
    }

    /// A change of a node's share in a room.
    pub fn delta(&mut self, node: &NodeId, started: i64, room: RoomId, delta: Delta) -> Took {
        match self.others.get_mut(node) {
            Some(said) if said.started == started => said.apply(room, delta),
            // The first heartbeat of that run makes its share be read.
            _ => Took::Old,
        }
    }

    /// A node's whole share was read. The rooms whose people changed by it.
    pub fn read(&mut self, node: &NodeId, read: Snapshot) -> Vec<RoomId> {
        let Some(said) = self.others.get_mut(node).filter(|said| said.started == read.started)
        else {
            return Vec::new();
        };
        let mut changed = Vec::new();
        said.rooms.retain(|room, share| {
            let stays = share.rev > read.rev || read.rooms.contains_key(room);
            if !stays && !share.is_empty() {
                changed.push(*room);
            }
            stays
        });
        for (room, share) in read.rooms {
            if said.take(room, share) {
                changed.push(room);
            }
        }
        said.floor = said.floor.max(read.rev);
        said.again = false;
        changed
    }

    /// A node's share in one room was read; `read` holds no other. Whether it is another now.
    pub fn read_room(&mut self, node: &NodeId, room: RoomId, mut read: Snapshot) -> bool {
        let Some(said) = self.others.get_mut(node).filter(|said| said.started == read.started)
        else {
            return false;
        };
        match (read.rooms.remove(&room), said.rooms.get(&room)) {
            (Some(share), _) => said.take(room, share),
            (None, Some(known)) if known.rev <= read.rev => {
                said.rooms.remove(&room).is_some_and(|known| !known.is_empty())
            }
            (None, _) => false,
        }
    }

    /// The node said goodbye. The rooms whose people changed by it.
    pub fn left(&mut self, node: &NodeId, started: i64) -> Vec<RoomId> {
        match self.others.entry(node.clone()) {
            Entry::Occupied(said) if said.get().started <= started => {
                said.remove().live().map(|(room, _)| *room).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Forgets nodes that have not been heard of, unless nobody can be. The rooms whose people
    /// changed by it.
    pub fn expire(&mut self, now: Duration) -> Vec<RoomId> {
        let mut changed = Vec::new();
        if !self.frozen {
            self.others.retain(|_, said| {
                let stays = now.saturating_sub(said.heard) <= GONE_AFTER;
                if !stays {
                    changed.extend(said.live().map(|(room, _)| *room));
                }
                stays
            });
        }
        changed
    }

    /// Nobody can be heard: what is known stays.
    pub const fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Others can be heard again: each has its time anew, and what they keep is read again.
    pub fn thaw(&mut self, now: Duration) {
        self.frozen = false;
        for said in self.others.values_mut() {
            said.heard = now;
            said.again = true;
        }
    }

    /// Nodes that changed something which was not read yet.
    #[must_use]
    pub fn unread(&self) -> Vec<NodeId> {
        let unread = self.others.iter().filter(|(_, said)| said.again || said.kept > said.floor);
        unread.map(|(node, _)| node.clone()).collect()
    }

    // ---- what follows from it

    /// The other nodes, by name.
    #[must_use]
    pub fn others(&self) -> Vec<NodeId> {
        let mut others: Vec<_> = self.others.keys().cloned().collect();
        others.sort();
        others
    }

    /// The oldest of the times at which other nodes were last heard of; none without others.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.others.values().map(|said| said.as_of).min()
    }

    fn all(&self) -> impl Iterator<Item = (&NodeId, &Said)> {
        std::iter::once((&self.me, &self.own)).chain(&self.others)
    }

    /// Everybody in a room.
    #[must_use]
    pub fn people(&self, room: RoomId) -> People {
        let (mut people, mut users) = (People::default(), BTreeMap::new());
        for (node, said) in self.all() {
            let Some(share) = said.rooms.get(&room).filter(|share| !share.is_empty()) else {
                continue;
            };
            join(&mut users, &share.users);
            people.guests += share.guests;
            people.sessions += share.sessions;
            people.nodes.push((node.clone(), share.users.len() as u64, share.guests));
        }
        people.nodes.sort();
        people.users = users.into_values().collect();
        people
    }

    /// Every user with a socket somewhere, by id, since the first of them.
    #[must_use]
    pub fn online(&self) -> Vec<Present> {
        let mut users = BTreeMap::new();
        for share in self.all().flat_map(|(_, said)| said.rooms.values()) {
            join(&mut users, &share.users);
        }
        users.into_values().collect()
    }

    /// Which of these users have a native socket on which other node.
    #[must_use]
    pub fn callers_elsewhere(&self, users: &[UserId]) -> BTreeMap<NodeId, Vec<UserId>> {
        let calls = |said: &Said, user: &UserId| {
            said.rooms.get(&lobby(*user)).is_some_and(|share| share.users.contains_key(user))
        };
        let of = |said: &Said| users.iter().copied().filter(|user| calls(said, user)).collect();
        let nodes = self.others.iter().map(|(node, said)| (node.clone(), of(said)));
        nodes.filter(|(_, users): &(NodeId, Vec<UserId>)| !users.is_empty()).collect()
    }

    /// Every room that somebody is in, by name, then id.
    #[must_use]
    pub fn rooms(&self) -> Vec<RoomSeen> {
        let mut rooms: HashMap<RoomId, Vec<&Share>> = HashMap::new();
        let live = self.all().flat_map(|(_, said)| said.live());
        for (room, share) in live.filter(|(room, _)| !is_lobby(**room)) {
            rooms.entry(*room).or_default().push(share);
        }
        let mut seen: Vec<_> =
            rooms.into_iter().map(|(room, shares)| seen(room, &shares)).collect();
        seen.sort_by(|a, b| (&a.tag.name, a.room).cmp(&(&b.tag.name, b.room)));
        seen
    }
}

/// A room, of which there is at least one share.
fn seen(room: RoomId, shares: &[&Share]) -> RoomSeen {
    let users = match shares {
        [one] => one.users.len(),
        all => all.iter().flat_map(|share| share.users.keys()).collect::<HashSet<_>>().len(),
    };
    RoomSeen {
        room,
        tag: shares[0].tag.clone(),
        active_users: users as u64 + shares.iter().map(|share| share.guests).sum::<u64>(),
        sessions: shares.iter().map(|share| share.sessions).sum(),
    }
}

/// Each user once: since he first came, with his sockets on all nodes.
fn join(all: &mut BTreeMap<UserId, Present>, users: &BTreeMap<UserId, Present>) {
    for (id, user) in users {
        match all.entry(*id) {
            BTreeEntry::Vacant(place) => {
                place.insert(user.clone());
            }
            BTreeEntry::Occupied(mut known) => {
                let known = known.get_mut();
                known.since = known.since.min(user.since);
                known.sessions += user.sessions;
            }
        }
    }
}

#[cfg(test)]
#[path = "presence_model.rs"]
mod model;
