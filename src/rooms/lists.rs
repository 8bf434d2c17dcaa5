//! Who and what is live, on all nodes: lists for everybody, made without asking a room. Part of the
//! handle on all rooms.

use std::collections::{HashMap, HashSet};

use crate::bus::View;
use crate::domain::{Timestamp, UserId};

use super::gauge::Online;
use super::{LiveRoom, OnlineUser, Rooms};

impl Rooms {
    /// Rooms with at least one socket on this node.
    #[must_use]
    pub fn live_here(&self) -> Vec<LiveRoom> {
        self.directory.list()
    }

    /// Rooms with at least one socket, by name, then id.
    #[must_use]
    pub fn live(&self) -> Vec<LiveRoom> {
        if self.bus.is_alone() {
            return self.directory.list();
        }
        let seen = self.bus.view(View::rooms).into_iter();
        seen.map(|room| LiveRoom {
            id: room.room,
            kind: room.tag.kind,
            name: room.tag.name,
            by_guest: room.tag.by_guest,
            active_users: room.active_users,
            sessions: room.sessions,
        })
        .collect()
    }

    /// Whether a room has a socket on this node.
    #[must_use]
    pub fn has_sockets_here(&self) -> bool {
        !self.directory.list().is_empty()
    }

    /// Users with at least one socket, by id.
    #[must_use]
    pub fn online(&self) -> Vec<OnlineUser> {
        self.online.everywhere()
    }

    /// Users who went offline just now, and when: the store learns of it a moment later.
    #[must_use]
    pub fn just_gone(&self) -> HashMap<UserId, Timestamp> {
        self.online.gone()
    }
}

impl Online {
    /// Users with at least one socket on whichever node, by id.
    #[must_use]
    pub fn everywhere(&self) -> Vec<OnlineUser> {
        let mut online = self.list();
        let Some(bus) = self.bus() else { return online };
        let here: HashSet<_> = online.iter().map(|user| user.id).collect();
        let elsewhere = bus.view(View::online).into_iter();
        online.extend(elsewhere.filter(|user| !here.contains(&user.id)).map(|user| OnlineUser {
            id: user.id,
            username: user.name,
            since: user.since,
        }));
        online.sort_by_key(|user| user.id);
        online
    }
}
