//! One node's share of who is where, and how it changes. Pure; called by `presence`, and by
//! `kept` and `envelope`, which write it down.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::nodes::{Present, RoomTag};
use crate::domain::{RoomId, Timestamp, UserId};

/// Users with a native socket are in one of these many rooms that are none, whatever rooms they
/// follow: each is small enough to be written anew when somebody comes or goes.
const LOBBIES: u128 = 64;
/// Ids that no room has.
const FIRST_LOBBY: u128 = u128::MAX - LOBBIES;

/// Where a user is as soon as he has a native socket.
pub(super) fn lobby(user: UserId) -> RoomId {
    RoomId(Uuid::from_u128(FIRST_LOBBY + u128::from(user.0.unsigned_abs()) % LOBBIES))
}

/// Whether it is no room.
pub(super) const fn is_lobby(room: RoomId) -> bool {
    room.0.as_u128() >= FIRST_LOBBY
}

/// A node's share in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Number of its last change; its node's changes share one count.
    #[serde(rename = "r")]
    pub rev: u64,
    /// What lists show of the room.
    #[serde(rename = "t")]
    pub tag: RoomTag,
    /// Its users.
    #[serde(rename = "u", with = "listed")]
    pub users: BTreeMap<UserId, Present>,
    /// Its guests.
    #[serde(rename = "g")]
    pub guests: u64,
    /// Its sockets.
    #[serde(rename = "s")]
    pub sessions: u64,
}

impl Share {
    /// Nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.guests == 0 && self.sessions == 0
    }
}

/// A change of a node's share in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The share's number before; 0: nobody was there, so it says all there is.
    #[serde(rename = "w")]
    pub was: u64,
    /// Its number now.
    #[serde(rename = "r")]
    pub rev: u64,
    /// What lists show of the room.
    #[serde(rename = "t")]
    pub tag: RoomTag,
    /// Users who came, or hold more sockets now or fewer.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub came: Vec<Present>,
    /// Users who went.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub went: Vec<UserId>,
    /// Guests now.
    #[serde(rename = "g", default)]
    pub guests: u64,
    /// Sockets now.
    #[serde(rename = "s", default)]
    pub sessions: u64,
}

/// A node's share in all rooms at one moment, or in one room.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When that run of the node started, microseconds since 1970.
    pub started: i64,
    /// Number of the last change it holds.
    pub rev: u64,
    /// The shares.
    pub rooms: HashMap<RoomId, Share>,
}

/// What a delta did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// The share is another now.
    Changed,
    /// It was known before.
    Old,
    /// Something before it is missing: the share must be read.
    Gap,
}

/// What one node said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub started: i64,
    /// When it was last heard of, since our start, and by the clock on the wall.
    pub heard: Duration,
    pub as_of: Timestamp,
    /// Number of the last change that can be read.
    pub kept: u64,
    /// Number of the last change of what was read.
    pub floor: u64,
    /// It is to be read whatever the numbers say.
    pub again: bool,
    pub rooms: HashMap<RoomId, Share>,
}

impl Said {
    /// Rooms with somebody in them.
    pub fn live(&self) -> impl Iterator<Item = (&RoomId, &Share)> {
        self.rooms.iter().filter(|(_, share)| !share.is_empty())
    }

    /// A share was read; whether it is news.
    pub fn take(&mut self, room: RoomId, share: Share) -> bool {
        match self.rooms.entry(room) {
            Entry::Occupied(known) if known.get().rev >= share.rev => false,
            entry => {
                entry.insert_entry(share);
                true
            }
        }
    }

    /// A change was told.
    ///
    /// An empty share stays until what is read is newer: without it, a late double of an older
    /// delta would bring its users back.
    pub fn apply(&mut self, room: RoomId, delta: Delta) -> Took {
        let known = self.rooms.get(&room);
        let rev = known.map_or(0, |share| share.rev);
        if delta.rev <= rev.max(self.floor) {
            return Took::Old;
        }
        if delta.was != 0 && delta.was != rev {
            return Took::Gap;
        }
        let share = self.rooms.entry(room).or_insert_with(|| Share {
            rev: 0,
            tag: delta.tag.clone(),
            users: BTreeMap::new(),
            guests: 0,
            sessions: 0,
        });
        if delta.was == 0 {
            share.users.clear();
        }
        for user in &delta.went {
            share.users.remove(user);
        }
        for user in delta.came {
            let sessions = user.sessions;
            share.users.entry(user.id).or_insert(user).sessions = sessions;
        }
        (share.rev, share.tag) = (delta.rev, delta.tag);
        (share.guests, share.sessions) = (delta.guests, delta.sessions);
        Took::Changed
    }
}

/// Users as a list, since each of them holds his id.
mod listed {
    use super::{BTreeMap, Deserialize, Present, UserId};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        users: &BTreeMap<UserId, Present>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(users.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<UserId, Present>, D::Error> {
        let users = Vec::<Present>::deserialize(from)?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect())
    }
}
